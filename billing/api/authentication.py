"""Bearer tokens: who is calling."""

from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed

from ..models import User


class BearerAuthentication(TokenAuthentication):
    """knox's tokens, found by their digest, which is the primary key.

    knox itself reads every token of the user on every request, and fails with 500 on a token
    that is no UTF-8.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        if not token.isascii():
            raise AuthenticationFailed("This token is not valid.")
        digest = hash_token(token.decode())
        row = AuthToken.objects.select_related("user").filter(digest=digest).first()
        if row is None or (row.expiry and row.expiry < timezone.now()):
            raise AuthenticationFailed("This token is not valid.")
        if not row.user.is_active:
            raise AuthenticationFailed("This user is blocked.")
        self.renew_token(row)
        return row.user, row
