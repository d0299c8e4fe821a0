"""What if and advice on the live page, in a real browser: edited, checked, simulated, stopped, downloaded; figures as the command line's."""

import json
import subprocess

import pytest
from gateway import CONFIG, PROGRAM, Gateway, wait_until

KEY = "sk-live-0123456789abcdef"
TYPED = CONFIG.replace("    dialect: openai\n", f"    dialect: openai\n    api_key: {KEY}\n", 1)
EASY, HARD = "Hi", "Prove rigorously that every finite group of odd order is solvable, derive each lemma step by step, and compare three alternative proofs."
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
SET = ("(([id, text]) => {{ const box = document.getElementById(id); box.value = text; box.dispatchEvent(new Event('input', {{bubbles: true}})); "
       "box.dispatchEvent(new Event('change', {{bubbles: true}})); }})({})")


@pytest.fixture(scope="module")
def busy():
    with Gateway(TYPED) as gateway:
        for _ in range(10):
            assert gateway.chat(EASY)[0] == 200
            assert gateway.chat(HARD)[0] == 200
        gateway.chat(EASY, model=HOSTILE)
        wait_until(lambda: gateway.rows("SELECT count(*) AS n FROM requests")[0]["n"] == 21, 10, "the ledger")
        yield gateway


def put(page, name, text):
    page.run(SET.format(json.dumps([name, text])))


def opened_on(browser, gateway, **looks):
    page = browser.page(f"http://127.0.0.1:{gateway.admin_port}/", **{"width": 1360, "height": 1000, "dark": False, **looks})
    page.run("document.querySelector('#what-if').open = true")
    page.wait("document.querySelector('#rules').value.includes('routes:')")
    return page


@pytest.fixture
def page(browser, busy):
    page = opened_on(browser, busy)
    yield page
    assert page.complaints == []
    page.close()


def text_of(page):
    return page.run("document.querySelector('#rules').value")


def test_the_editor_begins_with_the_rules_in_force_without_their_secrets(busy, page):
    text = text_of(page)
    assert KEY not in text and "TOLLGATE_KEPT_1" in text and "among: [gpu/llama, managed/large]" in text
    lines = page.run("document.querySelectorAll('#gutter span').length")
    assert lines == len(text.split("\n"))


def test_a_mistake_is_shown_at_its_line(page):
    text = text_of(page)
    put(page, "rules", text.replace("choose: cheapest", "choose: dearest"))
    page.click("#check")
    page.wait("document.querySelector('#rules-found .wrong')")
    line = text.split("\n").index("    choose: cheapest") + 1
    assert page.text("#rules-found .wrong").startswith(f"line {line}, column 13: ") and page.text("#gutter .wrong").strip() == str(line)
    page.click("#rules-found button")
    assert page.run("document.querySelector('#rules').value.slice(document.querySelector('#rules').selectionStart).split('\\n')[0]") == "dearest"
    page.click("#reset")
    page.wait("document.querySelector('#rules').value.includes('choose: cheapest')")
    page.click("#check")
    page.wait("document.querySelector('#rules-found .fine')")


def test_the_report_says_what_the_command_line_says(busy, page, tmp_path):
    edited = text_of(page).replace("among: [gpu/llama, managed/large]", "among: [managed/large]")
    put(page, "rules", edited)
    page.run("document.querySelector('#rules').focus()")
    page.run("document.querySelector('#rules').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', ctrlKey: true, bubbles: true}))")
    page.wait("document.querySelector('#report .fidelity')", 60)
    (tmp_path / "new.yaml").write_text(busy.config_path.read_text().replace("among: [gpu/llama, managed/large]", "among: [managed/large]"))
    ran = subprocess.run([PROGRAM, "simulate", "--config", tmp_path / "new.yaml", "--against", busy.config_path, "--since", "24h", "--json"], capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(ran.stdout)
    assert page.text("#report .fidelity") == said["line"]
    assert page.run("document.querySelector('#report .sentence b').title") == f"${said['cost']['usd_difference']}"
    assert page.run("document.querySelector('#report .sentence b').className") == "worse"
    assert page.texts("#report h3")[0] == f"{said['changed']} of {said['requests']} requests change target" and said["changed"] > 0
    after = {each["name"]: each["after"]["usd"] for each in said["targets"]}
    rows = page.run("[...document.querySelectorAll('[aria-label^=\"By target\"] tbody tr')].map((row) => [row.querySelector('th').textContent, row.querySelectorAll('td')[3].title])")
    assert rows and all(title == f"${after[name]}" for name, title in rows)
    assert page.run("document.querySelector('#running').hidden") is True and page.text("#simulate") == "Simulate"


def test_a_simulation_can_be_stopped(busy, page):
    put(page, "scale", "1000")
    page.click("#simulate")
    page.wait("document.querySelector('#simulate').textContent === 'Stop'")
    page.click("#simulate")
    page.wait("document.querySelector('#report').textContent === 'Stopped.' || document.querySelector('#report .fidelity')", 60)
    put(page, "scale", "many")
    page.click("#simulate")
    page.wait("document.querySelector('#report .refused')?.textContent.includes('0.01 to 1000')")


def test_hostile_names_stay_text(page):
    put(page, "rules", text_of(page).replace("choose: cheapest", f"choose: '{HOSTILE.replace(chr(39), chr(34))}'"))
    page.click("#simulate")
    page.wait("document.querySelector('#rules-found .wrong')", 60)
    assert "<img" in page.text("#rules-found") and page.run("document.title") == "Tollgate"
    assert page.run("document.querySelectorAll('#what-if img, #what-if script').length") == 0


def test_what_is_downloaded_is_what_stands_there(page):
    page.run("(() => { window.kept = null; URL.createObjectURL = (blob) => { blob.text().then((text) => { window.kept = text; }); return '#'; }; })()")
    put(page, "rules", text_of(page) + "# mine\n")
    page.click("#download")
    page.wait("window.kept !== null")
    assert page.run("window.kept") == text_of(page)
    assert "1 secret is not in the download" in page.text("#rules-found")


def test_an_empty_ledger_is_said_in_both_places(browser):
    with Gateway(CONFIG) as gateway:
        page = opened_on(browser, gateway)
        page.wait("document.querySelector('#advice .empty')")
        page.click("#simulate")
        page.wait("document.querySelector('#report .empty')", 60)
        assert "nothing to try the rules on" in page.text("#report")
        assert page.complaints == []
        page.close()


def test_the_advice_is_the_gateways(busy, page):
    page.wait("document.querySelector('#advice article')", 60)
    said = json.loads(busy.admin("/admin/v1/advice")[1])
    assert page.texts("#advice h3")[0] == said[0]["target"]
    (own,) = [each for each in said if each["target"] == "gpu/llama"]
    index = [each["target"] for each in said].index("gpu/llama") + 1
    card = f"#advice article:nth-child({index})"
    names = {"managed": "managed", "serverless": "serverless", "dedicated": "rented", "owned": "bought"}
    assert page.text(f"{card} .sentence").startswith(f"Advice: {names[own['advice']]}.")
    shown = page.run(f"[...document.querySelectorAll('{card} tbody tr')].map((row) => row.querySelector('td.number')?.title ?? '')")
    for tier in own["tiers"]:
        if tier["tier"] != "managed" and "per_month" in tier:
            assert any(title.startswith(f"${tier['per_month']['usd']}: ") for title in shown), tier
    steps = page.texts(f"{card} .steps li b")
    assert steps == [step["question"] for step in own["decision"]]
    page.run("document.querySelector('#advice-team').click()")
    page.wait("[...document.querySelectorAll('#advice .steps')].some((steps) => steps.textContent.includes('managed or serverless'))", 60)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_on_a_phone_nothing_sticks_out(browser, busy, width):
    page = opened_on(browser, busy, width=width, height=844, phone=True, scale=2)
    page.wait("document.querySelector('#advice article')", 60)
    page.click("#simulate")
    page.wait("document.querySelector('#report .fidelity')", 60)
    page.run("document.querySelectorAll('#advice details, #report details').forEach((each) => { each.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= width
    wide = page.run("[...document.querySelectorAll('main *')].filter((each) => !each.closest('pre, .scroll, .unseen, svg, .editor') && each.getBoundingClientRect().right > innerWidth + 1)"
                    ".map((each) => each.className || each.tagName)")
    assert wide == [] and page.complaints == []
    page.close()
