"""An hour of scripted traffic, played in some minutes, and what each dashboard's queries make of it: build/boards.html, and with --pictures a
picture of each board. A quiet beginning, a working day's rise, a burst, then calm; faults and refusals all along, as in the tests.

    python3 tests/boards/hour.py [--seconds 180] [--pictures docs/images]

Needs a built gateway, prometheus, and for pictures chromium; `./dev boards` brings them.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import report
from browser import Browser
from queries import DASHBOARDS
from stack import Stack

CLIENTS = 12
HOUR = [(0.15, 1), (0.3, 3), (0.5, 6), (0.6, CLIENTS), (0.8, 4), (1.0, 2)]     # until this share of the hour, so many clients


def crowd(share):
    return next((clients for until, clients in HOUR if share < until), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180, help="how long the hour takes")
    parser.add_argument("--pictures", type=pathlib.Path, metavar="FOLDER", help="where pictures of the boards go")
    options = parser.parse_args()
    print(f"playing an hour of traffic in {options.seconds} s", flush=True)
    with Stack(options.seconds, crowd=crowd, clients_max=CLIENTS) as stack:
        path = report.write(stack, window=max(4, stack.seconds // 20))
        requests = stack.after["total"]["requests"]
    print(f"{requests} requests; every query of {len(DASHBOARDS)} boards with what it gave: {path}")
    if options.pictures is None:
        return
    with Browser() as browser:
        page = browser.page(path.as_uri(), width=1200)
        for name in DASHBOARDS:
            page.run(f"document.querySelectorAll('section').forEach((board) => {{ board.hidden = board.id !== '{name}'; }})")
            picture = options.pictures / f"board-{name}.png"
            page.screenshot(picture, whole=True)
            print(picture)


if __name__ == "__main__":
    main()
