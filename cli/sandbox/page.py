"""The page of what was caught: plain HTML, nothing from outside, and nothing that was caught is run."""

import json
from html import escape
from typing import Any

from cli.sandbox.caught import Caught

TYPE = "text/html; charset=utf-8"
MOST = 100  # of each kind; the rest is in the JSON

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8d8d2, #3a3a38); --soft: light-dark(#6a6a64, #9c9c94) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2.5rem auto; padding: 0 1.25rem;
  background: light-dark(#fdfdfb, #1b1b1a); color: light-dark(#20201e, #e8e8e2) }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem }
p { margin: 0 0 .5rem; color: var(--soft) } a { color: inherit }
details { border-top: 1px solid var(--line); padding: .55rem 0 }
details:last-of-type { border-bottom: 1px solid var(--line) }
summary { cursor: pointer; display: grid; grid-template-columns: .75rem 4.5rem 11rem 1fr auto; gap: .75rem }
summary::before { content: "▸"; color: var(--soft) } [open] > summary::before { content: "▾" }
summary:hover { text-decoration: underline; text-decoration-color: var(--line); text-underline-offset: .3em }
summary > * { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
time, .soft { color: var(--soft); font-variant-numeric: tabular-nums } .bad { color: light-dark(#b3261e, #ff8a80) }
pre { font: 13px/1.45 ui-monospace, monospace; margin: .6rem 0 .2rem; padding: .75rem; border: 1px solid var(--line);
  border-radius: 6px; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
@media (max-width: 40rem) { summary { grid-template-columns: .75rem 4.5rem 1fr; gap: .25rem .75rem } }
"""
HEAD = (
    f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sandbox</title><style>{STYLE}</style>'
)


def drawn(caught: Caught, url: str) -> str:
    """The page."""
    found = caught.shown()
    mails, calls = found["mails"], found["calls"]
    link = f'<a href="/caught">{escape(url)}/caught</a>'
    body = [
        "<h1>Sandbox</h1>",
        f"<p>What would have been sent, and nobody got. Times are UTC. The same as JSON: {link}</p>",
        f"<h2>Mails by SMTP ({len(mails)})</h2>",
        _list([_mail(mail) for mail in mails[:MOST]]),
        f"<h2>Calls of providers, and webhooks ({len(calls)})</h2>",
        _list([_call(call) for call in calls[:MOST]]),
    ]
    return f'<!doctype html><html lang="en"><head>{HEAD}</head><body>{"".join(body)}</body></html>'


def _list(rows: list[str]) -> str:
    return f"<section>{''.join(rows)}</section>" if rows else "<p>None yet. Load the page again to see more.</p>"


def _mail(mail: dict[str, Any]) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in mail["headers"].items())
    bodies = [part for part in (mail["text"], mail["html"]) if part is not None]
    row = _row(mail["at"], mail["from"], mail["headers"].get("Subject", ""), ", ".join(mail["to"]))
    return f"<details>{row}{''.join(map(_block, (headers, *bodies)))}</details>"


def _call(call: dict[str, Any]) -> str:
    said = f"{call['status']}" + (", the same again" if call["repeats"] else "")
    row = _row(
        call["at"], call["provider"] or "webhook", f"{call['method']} {call['path']}", said, bad=call["status"] >= 400
    )
    headers = "\n".join(f"{name}: {value}" for name, value in call["headers"].items())
    blocks = filter(None, (headers, _tidy(call["body"]), _tidy(call["answer"])))
    return f"<details>{row}{''.join(map(_block, blocks))}</details>"


def _row(at: str, who: str, what: str, end: str, *, bad: bool = False) -> str:
    mark = ' class="bad"' if bad else ' class="soft"'
    when = f'<time datetime="{at}">{at[11:19]}</time>'
    return f"<summary>{when}<b>{escape(who)}</b><span>{escape(what)}</span><span{mark}>{escape(end)}</span></summary>"


def _block(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _tidy(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
