"""Files that clients upload: ``/v1/files``."""

from __future__ import annotations

import secrets
import threading
import time
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from ..record import ReceivedRequest
from ..reply import Reply, bytes_reply, json_reply
from .failure import refusal


class Files:
    """Keep files by their ids. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[dict[str, Any], bytes]] = {}

    def add(self, name: str, purpose: str, content: bytes) -> str:
        """Keep a file, and give its id."""
        id_ = f"file-{secrets.token_hex(8)}"
        about = {"id": id_, "object": "file", "bytes": len(content), "created_at": int(time.time())}
        with self._lock:
            self._files[id_] = {**about, "filename": name, "purpose": purpose, "status": "processed"}, content
        return id_

    def content(self, id_: object) -> bytes | None:
        """Return the content of a file; ``None`` if there is none with this id."""
        with self._lock:
            found = self._files.get(str(id_))
        return None if found is None else found[1]

    def clear(self) -> None:
        """Remove them all."""
        with self._lock:
            self._files.clear()

    def reply(self, request: ReceivedRequest) -> Reply:
        """Answer a request about files."""
        _, _, id_, *rest = [*request.path.strip("/").split("/"), ""]
        if request.method == "POST" and not id_:
            return self._upload(request)
        with self._lock:
            found = self._files.get(id_)
            if request.method == "DELETE":
                self._files.pop(id_, None)
        if found is None:
            return refusal(404, f"No such File object: {id_}", param="id")
        if request.method == "DELETE":
            return json_reply(200, {"id": id_, "object": "file", "deleted": True})
        if rest[0] == "content":
            return bytes_reply(200, "application/octet-stream", found[1])
        return json_reply(200, found[0])

    def _upload(self, request: ReceivedRequest) -> Reply:
        fields = _form_of(request)
        name, content = fields.get("file", (None, b""))
        purpose = fields.get("purpose", (None, b""))[1].decode("utf-8", "replace")
        if name is None:
            return refusal(400, "'file' is a required property", param="file")
        if purpose != "batch":
            return refusal(400, f"'{purpose}' is not one of ['batch']", param="purpose")
        id_ = self.add(name, purpose, content)
        return json_reply(200, self._files[id_][0])


def _form_of(request: ReceivedRequest) -> dict[str, tuple[str | None, bytes]]:
    """Read a ``multipart/form-data`` body: the file name and the content of each field."""
    head = f"Content-Type: {request.headers.get('Content-Type', '')}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    fields = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = part.get_filename(), content if isinstance(content, bytes) else b""
    return fields
