"""Configurations of small fleets for the tests of retries, limits, keys, drains and the like."""

BACKEND = """\
  {name}:
    dialect: openai
    url: {url}
    {more}
    models:
      m: {{context_tokens: {context}, prices: {{input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "2"}}}}
"""


def config(route="choose: first", attempts_max=5, top="", contexts=None, **backends):
    """backends: name=(url, more keys of the backend); all of them serve the model m, a route `auto` goes among them in this order."""
    text = f"""\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
attempts_max: {attempts_max}
{top}
backends:
"""
    for name, (url, more) in backends.items():
        text += BACKEND.format(name=name, url=url, more=more, context=(contexts or {}).get(name, 100000))
    among = ", ".join(f"{name}/m" for name in backends)
    return text + f"routes:\n  - {{name: auto, when: {{model: auto}}, among: [{among}], {route}}}\n"


def attempts(gateway, headers):
    return [(row["target"], row["result"]) for row in gateway.wait_for_row(headers["x-tollgate-request-id"])]


def waits(upstream):
    times = [seen[0] for seen in upstream.seen]
    return [b - a for a, b in zip(times, times[1:])]
