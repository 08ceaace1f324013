"""What the OpenAPI document says of every operation: its errors, and Idempotency-Key."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

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
