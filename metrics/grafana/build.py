#!/usr/bin/env python3
"""Writes the dashboards: metrics/grafana/dashboards/*.json. They are committed, because Grafana reads JSON and nothing else; a
test holds them against this program. Change boards_money.py or boards_traffic.py, then run

    python3 metrics/grafana/build.py
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import boards_money  # noqa: E402
import boards_traffic  # noqa: E402


def boards():
    """{file name: the text it must have}"""
    made = [boards_money.spend(), boards_money.pools(), boards_traffic.routing(), boards_traffic.service(), boards_traffic.books()]
    return {f"{board['uid'].removeprefix('tollgate-')}.json": json.dumps(board, indent=1, ensure_ascii=False) + "\n" for board in made}


if __name__ == "__main__":
    for name, text in boards().items():
        (HERE / "dashboards" / name).write_text(text)
        print(f"metrics/grafana/dashboards/{name}")
