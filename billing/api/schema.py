"""What the OpenAPI document says of every operation: log-in, errors, Idempotency-Key."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object

from .idempotency import IDEMPOTENCY_KEY, IdempotentPost

ERROR = {
    "type": "object",
    "description": "Every error: `code` is stable and for programs, `detail` is for people.",
    "properties": {
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "fields": {
            "type": "object",
            "description": "With each 400: what is wrong with which part of the request.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["code", "detail"],
}


class KubatSchema(AutoSchema):
    """Adds the header that every idempotent POST understands."""

    def get_override_parameters(self) -> Any:
        parameters = super().get_override_parameters()
        if self.method == "POST" and isinstance(self.view, IdempotentPost):
            return [*parameters, IDEMPOTENCY_KEY]
        return parameters


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "billing.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        scheme: dict[str, Any] = build_bearer_security_scheme_object("Authorization", "Bearer")
        return scheme


def add_errors(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Give every operation its error answer (a drf-spectacular hook)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    answer = {
        "description": "Any error.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("default", answer)
    return result
