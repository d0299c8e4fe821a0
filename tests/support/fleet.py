"""A gateway whose clients speak other protocols than OpenAI's chat completions, with simulated backends of every dialect behind it."""

from dialects import ENGINE, PRICES

TARGETS = ["anthropic/m", "openai/m", "vllm/m", "gemini/m", "bedrock/m"]
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
""" for name in ("anthropic", "openai", "vllm", "gemini", "bedrock")) + """\
constraints:
  - {name: masked, when: {pii: [email, card], header: {x-test-mask: "yes"}}, action: mask, restore: true}
routes:
  - name: fallback
    when: {model: fallback}
    choose: first
    among: [openai/m, anthropic/m]
  - name: checked
    when: {model: checked}
    cascade: true
    among: [anthropic/m, openai/m]
"""
