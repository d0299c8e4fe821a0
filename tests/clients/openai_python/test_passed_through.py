"""The official SDK for Python, unmodified, at the endpoints that are passed through: images, speech, transcriptions, moderations, files, batches."""

import base64
import io

import openai
import pytest
from gateway import CONFIG, Gateway
from openai import OpenAI

MEDIA = """\
      gpt-image-1: {serves: images, prices: {input_usd_per_million_tokens: "5", input_image_usd_per_million_tokens: "10", output_usd_per_million_tokens: "40"}}
      tts-1: {serves: speech, prices: {usd_per_million_characters: "15"}}
      whisper-1: {serves: transcriptions, prices: {usd_per_audio_minute: "0.006"}}
      gpt-4o-transcribe: {serves: transcriptions, prices: {input_usd_per_million_tokens: "2.5", input_audio_usd_per_million_tokens: "6", output_usd_per_million_tokens: "10"}}
      omni-moderation-latest: {serves: moderations, prices: {usd_per_request: "0"}}
      files: {serves: files, prices: {usd_per_request: "0"}}
      batches: {serves: batches}
"""


@pytest.fixture(scope="module")
def gateway():
    with Gateway(CONFIG.replace("constraints:\n", MEDIA + "constraints:\n", 1)) as running:
        yield running


@pytest.fixture(scope="module")
def client(gateway):
    with OpenAI(base_url=gateway.url, api_key="none", max_retries=0, timeout=30) as made:
        yield made


def test_images(client, gateway):
    answer = client.images.with_raw_response.generate(model="gpt-image-1", prompt="a cat", n=2)
    made = answer.parse()
    assert len(made.data) == 2 and made.usage.output_tokens > 0
    picture = base64.b64decode(made.data[0].b64_json)
    assert picture.startswith(b"\x89PNG")
    wanted = (made.usage.input_tokens * 5 + made.usage.output_tokens * 40) / 1e6
    assert float(answer.headers["x-tollgate-cost-usd"]) == pytest.approx(wanted) and answer.headers["x-tollgate-target"] == "managed/gpt-image-1"
    edited = client.images.edit(model="gpt-image-1", image=("cat.png", picture), prompt="a dog")
    assert edited.usage.input_tokens_details.image_tokens > 0
    assert client.images.create_variation(model="gpt-image-1", image=("cat.png", picture)).data


def test_images_in_a_stream(client):
    events = list(client.images.generate(model="gpt-image-1", prompt="a cat", stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"] and events[-1].usage.output_tokens > 0


def test_speech_is_streamed_to_a_file(client, tmp_path):
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="Hello. " * 7_000, response_format="wav") as answer:
        answer.stream_to_file(tmp_path / "speech.wav")
    sound = (tmp_path / "speech.wav").read_bytes()
    assert sound.startswith(b"RIFF") and len(sound) == int.from_bytes(sound[4:8], "little") + 8 > 1_000_000


def test_transcriptions(client):
    said = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", io.BytesIO(b"RIFF" + bytes(5000))))
    assert said.text == "A simulated transcript of 5004 bytes of sound." and said.usage.type == "tokens"
    heard = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=("a.wav", io.BytesIO(bytes(40_000))))
    assert heard.parse().usage.seconds == 3 and float(heard.headers["x-tollgate-cost-usd"]) == pytest.approx(0.0003)
    assert client.audio.translations.create(model="whisper-1", file=("a.wav", io.BytesIO(b"RIFF"))).text
    plain = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=("a.wav", io.BytesIO(b"RIFF")), response_format="text")
    assert plain.text.startswith("A simulated") and plain.headers["x-tollgate-cost-usd"] == "unknown"


def test_transcriptions_in_a_stream(client):
    events = list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", io.BytesIO(b"RIFF")), stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]


def test_moderations(client):
    judged = client.moderations.create(model="omni-moderation-latest", input=["one", "two"])
    assert [each.flagged for each in judged.results] == [False, False]
    assert client.moderations.create(input="one").model == "omni-moderation-latest"


def test_files_and_batches(client):
    content = b'{"custom_id": "a"}\n' * 100
    kept = client.files.create(file=("in.jsonl", io.BytesIO(content)), purpose="batch")
    assert (kept.filename, kept.bytes, kept.purpose) == ("in.jsonl", len(content), "batch")
    assert kept.id in [each.id for each in client.files.list()]
    assert client.files.retrieve(kept.id).id == kept.id
    assert client.files.content(kept.id).read() == content
    batch = client.batches.create(input_file_id=kept.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert client.batches.retrieve(batch.id).status == "validating"
    assert batch.id in [each.id for each in client.batches.list()]
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert client.files.delete(kept.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(kept.id)


def test_uploads_in_parts(client):
    content = b"0123456789" * 300_000
    whole = client.uploads.upload_file_chunked(file=content, filename="a.txt", bytes=len(content), mime_type="text/plain", purpose="user_data", part_size=1_000_000)
    assert whole.status == "completed" and client.files.content(whole.file.id).read() == content


def test_errors_are_the_sdks_own(client):
    with pytest.raises(openai.NotFoundError):
        client.images.generate(model="nobody", prompt="x")
    with pytest.raises(openai.BadRequestError, match="serves this endpoint"):
        client.images.generate(model="tts-1", prompt="x")
