"""The live page in a real browser: what it shows is what the API says, in light and dark, on a phone, by mouse and by keyboard."""

import http.client
import json
import threading

import pytest
from gateway import CONFIG, Gateway, wait_until

GATEWAY_CONFIG = CONFIG + """\
baselines:
  - {name: all-managed, target: managed/large}
budgets:
  - {name: company, limit_usd: "50", per: month}
"""
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
ROWS = "document.querySelectorAll('#decisions li').length"


def usd(text):
    """gateway/page/figures.js: usd()."""
    value = float(text)
    size, sign = abs(value), "−" if value < 0 else ""
    if size == 0:
        return "$0"
    if size >= 1:
        return f"{sign}${size:,.2f}"
    if size >= 0.01:
        return f"{sign}${size:.4f}"
    exponent = int(f"{size:e}".split("e")[1])
    return f"{sign}${size:.{min(12, 2 - exponent)}f}"


@pytest.fixture(scope="module")
def busy(gateway):
    for prompt in ("What is the capital of France?", "Say hello.", "Prove rigorously that there are infinitely many primes."):
        assert gateway.chat(prompt)[0] == 200
    gateway.chat("Hello", model=HOSTILE)
    wait_until(lambda: overview(gateway)["requests"]["today"] == 4, 10, "the ledger's sums")
    return gateway


def overview(gateway):
    return json.loads(gateway.admin("/admin/v1/overview")[1])


def address(gateway):
    return f"http://127.0.0.1:{gateway.admin_port}/"


@pytest.fixture
def page(browser, busy):
    opened = browser.page(address(busy), width=1360, height=1000, dark=False)
    opened.wait(f"{ROWS} >= 4")
    yield opened
    assert opened.complaints == []
    assert all(url.startswith(address(busy)) for url in opened.requested)
    opened.close()


def test_the_figures_are_those_of_the_api(busy, page):
    said = overview(busy)
    assert page.text("#figure-today .value") == usd(said["spend"]["today_usd"])
    assert page.run("document.querySelector('#figure-today .value').title") == f"${said['spend']['today_usd']}"
    assert page.text("#figure-today .note").startswith("4 requests since 00:00 UTC, 1 failed")
    against = page.run("document.querySelector('#figure-saved .value').title")
    assert against.endswith("against all-managed")
    shown = page.text("#figure-saved h2")
    assert shown == ("Lost today" if float(against[1:].split()[0]) < 0 else "Saved today")
    assert page.texts("#targets .name b") == ["gpu/llama", "managed/large", "managed/embed"]
    assert page.texts("#targets .state") == ["up", "up", "up"]
    assert page.texts("#pools h3") == ["gpu"] and page.text("#pools dd") == "$4.98/h"
    assert page.texts("#budgets h3") == ["company"]
    assert page.text("#budgets article > .hint").startswith(f"{usd(said['budgets'][0]['spent_usd'])} of $50.00")


def test_the_gauge_stands_at_the_busy_ratio_and_its_mark_at_break_even(busy, page):
    page.wait("document.querySelector('.gauge .mark') && !document.querySelector('.gauge .mark').hidden")
    pool = overview(busy)["pools"][0]
    even = pool["break_even"][0]
    assert even["against"] == "all-managed" and even["why_unknown"] is None
    drawn = page.run("[...document.querySelectorAll('.gauge i')].map((each) => Number(each.style.getPropertyValue('--part')))")
    # Both move on while the page is read.
    assert drawn[0] == pytest.approx(pool["busy_ratio"], abs=0.05) and drawn[1] == pytest.approx(min(1, even["busy_ratio"]), rel=0.6)
    assert page.text("#pools .says").split(":")[0].startswith(("Pays", "Costs"))


def test_rows_show_what_the_decisions_say(busy, page):
    decisions = json.loads(busy.admin("/admin/v1/decisions")[1])["decisions"]
    rows = page.run("[...document.querySelectorAll('#decisions .row')].map((row) => ({id: row.dataset.id, target: row.querySelector('.target b').textContent, "
                    "score: row.querySelector('.complexity b').textContent, cost: row.querySelector('.cost').textContent, reason: row.querySelector('.reason').textContent}))")
    assert [row["id"] for row in rows] == [each["id"] for each in decisions]
    for row, said in zip(rows, decisions):
        assert row["target"] == (said["target"] or "nowhere") and row["reason"] == said["reason"]
        assert row["cost"] == usd(said["cost_usd"]) and float(row["score"]) == pytest.approx(said["complexity"], abs=0.006)


def test_a_click_shows_the_whole_explanation(busy, page):
    decisions = json.loads(busy.admin("/admin/v1/decisions")[1])["decisions"]
    sent = next(each for each in decisions if each["target"] == "gpu/llama")
    page.click(f"[data-id={sent['id']}]")
    page.wait("document.querySelector('#detail[open] .plan')")
    body = page.text("#detail-body")
    assert f"${sent['cost_usd']}" in body and sent["reason"] in body and "What was tried" in body
    assert page.texts("#detail .plan tbody th")[0] == "gpu/llama"
    assert page.run("document.activeElement.closest('#detail') !== null")
    page.key("Escape")
    page.wait("!document.querySelector('#detail').open")


def test_hostile_names_are_text(busy, page):
    refused = next(each for each in json.loads(busy.admin("/admin/v1/decisions")[1])["decisions"] if each["model"].startswith("<img"))
    page.click(f"[data-id={refused['id']}]")
    page.wait("document.querySelector('#detail-body code')")
    assert page.text("#detail-body code") == HOSTILE
    assert page.run("document.title") == "Tollgate" and page.run("document.querySelectorAll('#detail img, #detail script').length") == 0
    page.key("Escape")


def test_typing_explains_and_sends_nothing(busy, page):
    before = len(busy.engine_requests("gpu")) + len(busy.engine_requests("managed"))
    page.key("/")
    page.wait("document.activeElement.id === 'prompt'")
    page.type("<b>Prove</b> rigorously, with all lemmas, that every finite group of odd order is solvable.")
    page.wait("document.querySelector('#verdict .plan')")
    assert page.texts("#verdict .sentence b") == ["managed/large"]
    assert "not trusted with a request this hard" in page.text("#verdict .plan .out")
    page.run("(() => { const box = document.querySelector('#header'); box.value = 'x-data-class: phi'; box.dispatchEvent(new Event('input', {bubbles: true})); })()")
    page.wait("document.querySelector('#verdict').textContent.includes('phi-stays-home')")
    assert len(busy.engine_requests("gpu")) + len(busy.engine_requests("managed")) == before


def test_sending_streams_the_answer_and_its_cost(browser, busy):
    page = browser.page(address(busy), dark=False)
    page.wait(f"{ROWS} >= 4")
    page.click("#prompt")
    page.type("What is the capital of France?")
    page.wait("!document.querySelector('#send').disabled")
    page.click("#send")
    page.wait("document.querySelector('#answer .hint')?.textContent.startsWith('cost $')")
    assert page.text("#answer .sentence b") == "gpu/llama" and page.text("#answer .text") != ""
    request = page.text("#answer .hint").split(", ")[-1]
    page.wait(f"document.querySelector('[data-id={request}]')")
    assert busy.wait_for_row(request)[0]["target"] == "gpu/llama"
    assert page.complaints == []
    page.close()


def test_the_keyboard_reaches_everything(page):
    page.run("document.querySelector('#decisions .row').focus()")
    first = page.run("document.activeElement.dataset.id")
    page.key("ArrowDown")
    assert page.run("document.activeElement.dataset.id") not in (first, None)
    page.key("ArrowUp")
    page.key("Enter")
    page.wait("document.querySelector('#detail[open] .plan')")
    page.key("Escape")
    page.wait("!document.querySelector('#detail').open")
    page.key("p")
    page.wait("document.querySelector('#pause').getAttribute('aria-pressed') === 'true'")
    unreachable = page.run("[...document.querySelectorAll('button, input, select, textarea, summary, a')].filter((each) => each.tabIndex < 0).length")
    unnamed = page.run("[...document.querySelectorAll('button, input, select, textarea')].filter((each) => !each.textContent.trim() && !each.labels?.length && "
                       "!each.getAttribute('aria-label')).map((each) => each.outerHTML)")
    assert unreachable == 0 and unnamed == []


def test_the_filter_hides_what_does_not_fit(page):
    page.run("(() => { const box = document.querySelector('#filter'); box.value = 'managed/large'; box.dispatchEvent(new Event('input')); })()")
    shown = page.texts("#decisions li:not([hidden]) .target b")
    assert "managed/large" in shown and "gpu/llama" not in shown


def luminance(color):
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")[:3]]
    return sum(weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4) for weight, part in zip((0.2126, 0.7152, 0.0722), parts))


def contrast(page, selector, ground):
    style = "getComputedStyle(document.querySelector('{}')).{}"
    front, back = (luminance(page.run(style.format(each, kind))) for each, kind in ((selector, "color"), (ground, "backgroundColor")))
    return (max(front, back) + 0.05) / (min(front, back) + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_follow_the_system_and_can_be_read(browser, busy, dark):
    page = browser.page(address(busy), dark=dark)
    page.wait(f"{ROWS} >= 4")
    assert (luminance(page.run("getComputedStyle(document.body).backgroundColor")) < 0.2) == dark
    for selector in (".note", ".reason", ".targets .state", ".legend .busy", ".figure .value", ".hint", ".row time"):
        assert contrast(page, selector, ".card") >= 4.5, selector
    other = "light" if dark else "dark"
    page.run(f"document.querySelector('input[value={other}]').click()")
    assert (luminance(page.run("getComputedStyle(document.body).backgroundColor")) < 0.2) != dark
    page.go(address(busy))
    assert (luminance(page.run("getComputedStyle(document.body).backgroundColor")) < 0.2) != dark, "the choice is remembered"
    page.run("document.querySelector('input[value=auto]').click()")
    assert page.complaints == []
    page.close()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phone_scrolls_one_way_only(browser, busy, width):
    page = browser.page(address(busy), width=width, height=844, phone=True, scale=2, dark=False)
    page.wait(f"{ROWS} >= 4")
    page.run("(() => { const box = document.querySelector('#prompt'); box.value = 'Prove it: ' + 'W'.repeat(500); box.dispatchEvent(new Event('input', {bubbles: true})); })()")
    page.wait("document.querySelector('#verdict .plan')")
    assert page.run("document.documentElement.scrollWidth") <= width
    wide = page.run("[...document.querySelectorAll('main *')].filter((each) => !each.closest('pre, .scroll, .unseen, svg') && each.getBoundingClientRect().right > innerWidth + 1)"
                    ".map((each) => each.className || each.tagName)")
    assert wide == []
    assert page.complaints == []
    page.close()


def test_the_checklist_goes_green_one_by_one(browser):
    with Gateway(CONFIG) as gateway:
        page = browser.page(address(gateway), dark=False)
        page.wait("document.querySelectorAll('#checklist li').length === 6")

        def todo():
            return page.texts("#checklist .todo strong")

        assert todo() == ["A first request has come", "A budget guards the spend", "Prometheus scrapes the metrics"]
        assert f"127.0.0.1:{gateway.port}/v1/chat/completions" in page.text("#checklist .todo pre")
        gateway.chat("Hello")
        page.wait("document.querySelectorAll('#checklist .todo').length === 2")
        assert page.text("#no-decisions") and page.wait(f"{ROWS} === 1")
        gateway.write_config(CONFIG + "budgets: [{name: all, limit_usd: \"100\", per: month}]\n")
        page.wait("document.querySelectorAll('#checklist .todo').length === 1")
        gateway.request("GET", "/metrics", headers={"x-prometheus-scrape-timeout-seconds": "10"}, port=gateway.admin_port)
        page.wait("document.querySelector('#setup-count').textContent === 'all green'")
        page.wait("!document.querySelector('#setup details').open")
        gateway.write_config("nonsense: 1\n")
        page.wait("document.querySelector('#checklist .todo strong')?.textContent === 'Configuration is valid'")
        assert page.complaints == []
        page.close()


def test_the_page_keeps_up_with_a_flood_and_stays_small(browser, busy):
    page = browser.page(address(busy), dark=False)
    page.wait(f"{ROWS} >= 4")
    stop = threading.Event()

    def flood():
        connection = http.client.HTTPConnection("127.0.0.1", busy.port)
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1})
        while not stop.is_set():
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            connection.getresponse().read()

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        page.wait(f"document.querySelector('#sampled').textContent.startsWith('a sample') && {ROWS} > 20", 20)
        assert page.run("document.querySelectorAll('*').length") < 3000 and page.run(ROWS) <= 60
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert page.complaints == []
    page.close()


def test_a_gateway_that_is_gone_is_said_and_found_again(browser):
    with Gateway(CONFIG) as gateway:
        page = browser.page(address(gateway), dark=False)
        page.wait("document.querySelector('#link').textContent === 'live'")
        gateway.stop()
        page.wait("document.querySelector('#link').dataset.state === 'lost'")
        gateway.write_config(CONFIG.replace('admin: {listen: "127.0.0.1:0"}', f'admin: {{listen: "127.0.0.1:{gateway.admin_port}"}}'))
        gateway.returncode = None
        gateway.start()
        page.wait("document.querySelector('#link').textContent === 'live'", 20)
        page.close()
