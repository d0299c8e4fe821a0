"""A gateway whose backends speak other protocols than OpenAI's, all simulated."""

ENGINE = ("{seed: 3, slots: 256, prefill_tokens_per_second: 200000, decode_tokens_per_second: 500,"
          " decode_tokens_per_second_total: 100000, output_tokens_mean: 20}")
PRICES = '{input_usd_per_million_tokens: "3", cached_input_usd_per_million_tokens: "0.30", output_usd_per_million_tokens: "15"}'

CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 1}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
backends:
""" + "".join(f"""\
  {name}:
    dialect: {name}
    simulated: {ENGINE}
    models:
      m: {{context_tokens: 200000, images: true, prices: {PRICES}}}
  {name}-lenient:
    dialect: {name}
    drop_unsupported: true
    simulated: {ENGINE}
    models:
      m: {{context_tokens: 200000, images: true, prices: {PRICES}}}
""" for name in ("anthropic", "gemini", "bedrock")) + f"""\
  plain:
    dialect: openai
    simulated: {ENGINE}
    models:
      m: {{context_tokens: 200000, images: true, prices: {PRICES}}}
routes:
  - name: fallback
    when: {{model: fallback}}
    choose: first
    among: [anthropic/m, plain/m]
"""

DIALECTS = ["anthropic", "gemini", "bedrock"]
