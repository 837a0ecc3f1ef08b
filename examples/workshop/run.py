"""The EventBridge workshop, run: `python examples/workshop/run.py [FOLDER]`.

Starts the orders API (Basic auth) as a stand-in, runs `workshop.toml` on `orders.jsonl` in FOLDER (default: a new one), and
prints who got what. The router is the ordinary command; nothing here is special to it. With EU_ORDERS and US_LAB_TOPIC set to
ARNs (and AWS_ENDPOINT_URL to an AWS-compatible server, if it is not AWS) the same file talks to those instead.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PASSWORD = "workshop-" + os.urandom(4).hex()


class OrdersApi(ThreadingHTTPServer):
    """An HTTP API that takes orders from whoever knows the password."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.orders: list[dict[str, Any]] = []
        self.rejected = 0


class _Handler(BaseHTTPRequestHandler):
    server: OrdersApi

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = base64.b64encode(f"myUsername:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {wanted}":
            self.server.orders.append(json.loads(body))
            self.send_response(201)
        else:
            self.server.rejected += 1
            self.send_response(401)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silent: the router says what matters."""


def main(folder: Path) -> dict[str, Any]:
    """Runs the workshop; what everybody got."""
    for name in ("workshop.toml", "orders.jsonl"):
        shutil.copy(HERE / name, folder / name)
    api = OrdersApi()
    threading.Thread(target=api.serve_forever, daemon=True).start()
    environment = {
        **os.environ,
        "ORDERS_API": f"http://127.0.0.1:{api.server_port}/orders",
        "ORDERS_API_PASSWORD": PASSWORD,
    }
    command = [
        sys.executable,
        "-m",
        "rulebus.cli",
        "run",
        "workshop.toml",
        "--events",
        "orders.jsonl",
        "--no-status",
    ]
    finished = subprocess.run(
        command, check=False, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, timeout=60
    )
    api.shutdown()
    api.server_close()
    sys.stderr.write(finished.stderr)
    return {
        "exit status": finished.returncode,
        "log": finished.stderr.count("INFO orders:"),
        "API": sorted(api.orders, key=lambda order: order["value"]),
        "EU state machine": _lines(folder / "eu-orders.jsonl"),
        "US lab supplies queue": _lines(folder / "us-lab-queue.jsonl"),
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line)["detail"] for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="workshop-"))
    got = main(where)
    print(json.dumps(got, indent=2))
    sys.exit(got["exit status"])
