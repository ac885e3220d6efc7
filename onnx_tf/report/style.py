"""How the page of a report looks."""

from __future__ import annotations

from onnx_tf.layout.page_style import BASE, GRAPH
from onnx_tf.report.error_plot import PLOT

__all__ = ["STYLE"]

STYLE = f"""{BASE}{GRAPH}{PLOT}
main, header, footer {{ max-width: 1080px; margin: 0 auto; padding: 0 20px; }}
header {{ padding-top: 22px; }} footer {{ padding-bottom: 30px; color: var(--muted); font-size: .87em; }}
section {{ margin: 34px 0; }} h2 {{ margin: 0 0 8px; font-size: 1.15rem; }}
h3 {{ margin: 18px 0 4px; font-size: 1rem; }}
.verdict {{ margin: 14px 0; padding: 12px 16px; border-left: 6px solid var(--kind); background: var(--panel);
  border-radius: 4px; }} .verdict strong {{ display: block; font-size: 1.15rem; color: var(--kind); }}
.good {{ --kind: var(--good); }} .warn {{ --kind: var(--warn); }} .bad {{ --kind: var(--bad); }}
.mark {{ color: var(--kind); font-weight: 600; white-space: nowrap; }}
.tiles {{ display: grid; grid-template-columns: repeat(4, 1fr); gap: 10px; margin: 14px 0 0;
  padding: 0; }} .tiles div {{ padding: 10px 14px; background: var(--panel); border-radius: 6px; }}
.tiles dt {{ color: var(--muted); font-size: .87em; }} .tiles dd {{ margin: 0; font-size: 1.2rem; font-weight: 600; }}
nav {{ display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 12px; font-size: .93em; }}
.bars {{ width: 100%; max-width: 760px; table-layout: fixed; }} .bars td:first-child {{ overflow-wrap: anywhere; }}
.bars th:first-child {{ width: 46%; }} .bars th:last-child {{ width: 36%; }}
.bars .number {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
.bars .bar {{ padding: 6px 0; }} .bars .bar span {{ display: block; height: 12px; min-width: 1px;
  background: var(--last); border-radius: 2px; }}
.picture {{ position: relative; scroll-snap-type: x mandatory; max-height: 78vh;
  border: 1px solid var(--line); border-radius: 6px; margin-top: 10px; }}
.picture .graph {{ margin: 0 auto; }} .picture h3 {{ padding-left: 24px; }}
.pair {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 4px 34px; }}
details {{ margin: 6px 0; }}
code {{ overflow-wrap: anywhere; }} td code {{ display: block; min-width: 11em; }}
.muted {{ color: var(--muted); }}
@media (max-width: 560px) {{ main, header, footer {{ padding-left: 14px; padding-right: 14px; }}
  .tiles {{ grid-template-columns: 1fr 1fr; }} td, th {{ padding-right: 10px; }}
  td code {{ min-width: 9em; }} }}
@media print {{ .picture, .scroll {{ max-height: none; overflow: visible; }} }}
"""
