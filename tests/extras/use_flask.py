"""A Flask app that streams an answer."""

from flask import Flask, Response

from g4f_lite.contrib.flask import G4FLite, stream_answer

app = Flask(__name__)
app.config["G4F_LITE_PROVIDER"] = "echo"
chat = G4FLite(app)


@app.get("/answer")
def answer() -> Response:
    return stream_answer(chat.client.stream("hello"))


response = app.test_client().get("/answer")
assert response.mimetype == "text/event-stream"
assert '{"text":"hello"}' in response.text.replace(" ", ""), response.text
