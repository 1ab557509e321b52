"""g4f_lite in a Flask app::

    app = Flask(__name__)
    chat = G4FLite(app)
    app.register_error_handler(G4FLiteError, error_response)

    @app.get("/answer")
    def answer():
        return stream_answer(chat.client.stream(request.args["prompt"]))

A view that calls ``g4f_lite.ask`` and returns its answer needs none of this.
"""

from __future__ import annotations

from ...errors import MissingDependencyError

try:
    import flask as _flask  # noqa: F401
except ModuleNotFoundError as missing:
    if missing.name != "flask":
        raise
    raise MissingDependencyError('g4f_lite.contrib.flask needs Flask: pip install "g4f-lite[flask]"') from missing

from .errors import error_response
from .events import stream_answer
from .extension import G4FLite

__all__ = ["G4FLite", "error_response", "stream_answer"]
