# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style sheet of the page: light and dark, wide and narrow, print. PRIVATE: may change without notice.

Colours of words have a contrast of at least 4.5 to 1 on their ground (WCAG 2.2, 1.4.3); no meaning is in a colour alone.
"""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark;
  --ground: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #555e68; --line: #d9dee4; --now: #1b1f24;
  --ok: #13743f; --unknown: #555e68; --warning: #8a5a00; --critical: #b3261e;
  --bar-ok: #6fbf8f; --bar-warning: #e3a008; --bar-critical: #d43d32;
  --ok-ground: #e2f4e9; --unknown-ground: #eceff2; --warning-ground: #fdf0d0; --critical-ground: #fde7e5; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #101418; --card: #181d23; --text: #e8ebee; --soft: #a3adb8; --line: #313941; --now: #e8ebee;
  --ok: #57c98a; --unknown: #a3adb8; --warning: #e8b44c; --critical: #ff8a80;
  --bar-ok: #2e7d54; --bar-warning: #d79a1e; --bar-critical: #f0655a;
  --ok-ground: #12301f; --unknown-ground: #262d34; --warning-ground: #372a0c; --critical-ground: #431a18; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.125rem; margin: 0 0 .75rem; }
p { margin: 0; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
.mono { font-family: ui-monospace, monospace; font-size: .875em; }
.wrap { overflow-wrap: anywhere; }
.names { display: block; }
.under { display: block; font-weight: 400; color: var(--soft); }
td .under { white-space: nowrap; }
header { display: grid; gap: .75rem; margin-bottom: 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem; margin-top: 1rem; }
.badge { display: inline-block; border-radius: .5rem; padding: 0 .5rem; font-weight: 600; white-space: nowrap; }
.ok { --tone: var(--ok); --tone-ground: var(--ok-ground); }
.unknown { --tone: var(--unknown); --tone-ground: var(--unknown-ground); }
.warning { --tone: var(--warning); --tone-ground: var(--warning-ground); }
.critical { --tone: var(--critical); --tone-ground: var(--critical-ground); }
.badge { color: var(--tone); background: var(--tone-ground); }
.overall { border: 2px solid var(--tone); background: var(--tone-ground); border-radius: .75rem; padding: .75rem 1rem;
  display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; }
.overall strong { color: var(--tone); font-size: 1.375rem; }
.overall ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: 0; list-style: none; }
.overall li { color: var(--tone); font-weight: 600; }
.problems { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem; }
.problems > li { border-left: 4px solid var(--tone); padding-left: .75rem; }
.problems ul { margin: .25rem 0 0; padding: 0; list-style: none; display: grid; gap: .5rem; }

table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-size: .875rem; font-weight: 600; padding-top: 0; }
tbody th { font-weight: 600; overflow-wrap: anywhere; }
tr > :last-child { padding-right: 0; }

.timeline { list-style: none; margin: 0; padding: 0; }
.timeline li { display: grid; grid-template-columns: 14rem minmax(0, 1fr) 14rem; gap: 0 1rem; align-items: center; min-height: 2rem; }
.timeline .name { overflow-wrap: anywhere; line-height: 1.25; }
.timeline .end { display: flex; flex-wrap: wrap; gap: 0 .75rem; justify-content: flex-end; align-items: baseline;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.timeline .left { min-width: 5.5rem; text-align: right; }
.timeline svg { display: block; width: 100%; height: 1.5rem; }
.timeline .life { fill: var(--bar-ok); }
.timeline .due { fill: var(--bar-warning); }
.timeline .late { fill: var(--bar-critical); }
.timeline .grid { stroke: var(--line); vector-effect: non-scaling-stroke; }
.timeline .now { stroke: var(--now); stroke-width: 2; vector-effect: non-scaling-stroke; }
.timeline .axis { min-height: 1.75rem; color: var(--soft); font-size: .8125rem; }
.axis div { position: relative; height: 1.5rem; grid-column: 2; }
.axis span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.axis .today { color: var(--now); font-weight: 600; }

@media (max-width: 47rem) {
  main { padding: 1rem .75rem 2rem; }
  section { padding: .875rem; }
  .timeline li { grid-template-columns: minmax(0, 1fr) auto; padding-bottom: .625rem; }
  .timeline svg, .axis div { grid-column: 1 / -1; }
  .timeline svg { grid-row: 2; }
  .timeline .axis { padding: 0; }
  .axis .minor { display: none; }
  .timeline .left { min-width: 0; }
  table, tbody, tr, td, tbody th { display: block; width: 100%; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { border-top: 1px solid var(--line); padding: .625rem 0; }
  tbody tr:first-child { border-top: 0; padding-top: 0; }
  th, td { border: 0; padding: .0625rem 0; }
  tbody th { font-size: 1.0625rem; }
  td { display: grid; grid-template-columns: 7rem minmax(0, 1fr); gap: .5rem; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .875rem; line-height: 1.7; }
}
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
