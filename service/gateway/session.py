"""A browser's token: EventSource sets no headers, so that the token comes in a cookie, which no script can read."""

from service.gateway.cookies import COOKIE, TOKEN
from service.gateway.exchange import Exchange
from service.gateway.refusals import invalid, wrong_method

PATH = "/session"

_KEPT_SECONDS = 30 * 86_400
_METHODS = ("POST", "DELETE", "OPTIONS")


async def answer_session(exchange: Exchange) -> None:
    """POST {"token": …} keeps the token in this browser, DELETE forgets it. Raises Refused."""
    exchange.route = PATH
    if exchange.method == "OPTIONS":
        await exchange.answer(204, b"", {"allow": ", ".join(_METHODS)})
    elif exchange.method == "POST":
        await exchange.answer(204, b"", {"set-cookie": _cookie(exchange, _token(await exchange.body()), _KEPT_SECONDS)})
    elif exchange.method == "DELETE":
        await exchange.answer(204, b"", {"set-cookie": _cookie(exchange, "", 0)})
    else:
        raise wrong_method(_METHODS)


def _token(body: object) -> str:
    token = body.get("token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise invalid([("token", "expected the text of a bearer token")])
    return token


def _cookie(exchange: Exchange, token: str, seconds: int) -> str:
    # A proxy may have ended TLS before us: the browser's Origin tells how it came.
    is_tls = exchange.scope["scheme"] == "https" or exchange.headers.get("origin", "").startswith("https:")
    secure = "; Secure" if is_tls else ""
    return f"{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
