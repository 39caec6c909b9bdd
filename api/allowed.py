"""Which methods a path knows: what the Allow header of a 405 says (RFC 9110, 15.5.6)."""

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


def methods(request: Request) -> list[str]:
    """Those of the path as it stands; if it stands nowhere, of the patterns that it fits."""
    path = request.scope["path"]
    known = [(route.path, route.methods or ()) for route in iter_route_contexts(request.app.routes) if route.path]
    written = {method for each, its in known if each == path for method in its}
    return sorted(written or {method for each, its in known if compile_path(each)[0].match(path) for method in its})


def is_other(request: Request) -> bool:
    """Whether the path is that of another route than its method led to: GET /v1/events/replay asks for no event."""
    return request.scope["route"].path != request.scope["path"] and request.method not in methods(request)
