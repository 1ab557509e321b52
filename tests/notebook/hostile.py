"""An answer that would run scripts and fetch what it names, and a server that notes what is fetched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RUN = "document.title=document.documentElement.id='RAN'"  # JupyterLab sets the title again
_ANSWER = f"""Done. ![x](HOST/image?q=said) ![y][1] <img src="HOST/tag"> <script>{RUN}</script>
<img src=x onerror="{RUN}"> <iframe src="HOST/frame"></iframe>

[1]: HOST/named

- ```html
  <img src="HOST/list"><script>{RUN}</script>
  ```

> `<img src="HOST/code">` ``<script>{RUN}</script>``

| ` | <img src="HOST/cell"> ` |
|---|---|

\\\\\\[

```html
<script>{RUN}</script><img src="HOST/formula">
```

\\\\]

$$ <img src="HOST/math"> $$

```mermaid
</pre><img src="HOST/diagram"><script>{RUN}</script>
```

```mermaid.js
</pre><img src="HOST/another"><script>{RUN}</script>
```

[here](javascript:{RUN}) $\\href{{javascript:{RUN}}}{{x}}$ $\\style{{background:url(HOST/style)}}{{x}}$
&#36;&#92;mmlToken{{mi}}[href="javascript:{RUN}"]{{x}}&#36; $\\bbox[background-image:url(HOST/box)]{{x}}$"""


def answer(host: str) -> str:
    """Give the answer, which names a host."""
    return _ANSWER.replace("HOST", host)


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """Start a server; give its address, and the list of the paths that are asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", paths
        finally:
            server.shutdown()
            thread.join()
