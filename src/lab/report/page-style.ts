/** The report's look: one style sheet for light and dark, nothing loaded from anywhere. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --bg: #f6f5f1; --card: #fffefb; --ink: #22252b; --soft: #6d7078; --line: #dfdcd3;
  --caller: #2f6f9f; --caller-soft: #2f6f9f2e; --bot: #b4562b; --bot-soft: #b4562b2e; --stop: #c4223f; --good: #2b7a4b;
  --ghost: #8d8a82; }
@media (prefers-color-scheme: dark) { :root { --bg: #15171b; --card: #1d2025; --ink: #e8e6e0; --soft: #9b9da3;
  --line: #33373e; --caller: #6db3e4; --caller-soft: #6db3e430; --bot: #f0996b; --bot-soft: #f0996b30; --stop: #ff6b81;
  --good: #6fca93; --ghost: #7d7f86; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 40px 28px 64px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; text-wrap: balance; }
h2 { font-size: 13px; margin: 0 0 12px; color: var(--soft); text-transform: uppercase; letter-spacing: 0.07em; font-weight: 600; }
.lead { color: var(--soft); margin: 0; max-width: 72ch; }
.verdict { margin: 14px 0 0; font-weight: 600; } .verdict.good { color: var(--good); } .verdict.bad { color: var(--stop); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 14px; margin: 28px 0; }
.figure, .panel { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.figure { padding: 14px 18px; } .figure b { display: block; font-size: 25px; font-weight: 600; line-height: 1.3;
  font-variant-numeric: tabular-nums; letter-spacing: -0.01em; } .figure span { color: var(--soft); font-size: 13px; }
.figure.bad b { color: var(--stop); }
.panel { padding: 20px 22px; margin-bottom: 18px; overflow-x: auto; }
.scroll { overflow-x: auto; } svg { display: block; font: 11px system-ui, -apple-system, 'Segoe UI', sans-serif; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 20px; color: var(--soft); font-size: 13px; margin-top: 12px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 7px; vertical-align: -1px; }
.columns { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 18px; align-items: start; }
@media (max-width: 900px) { .columns { grid-template-columns: minmax(0, 1fr); } }
.talk { list-style: none; margin: 0; padding: 0; display: grid; gap: 9px; }
.talk li { max-width: 86%; padding: 8px 13px; border-radius: 13px; } .talk time { display: block; font-size: 11.5px; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.talk .caller { background: var(--caller-soft); border-bottom-left-radius: 4px; }
.talk .bot { background: var(--bot-soft); justify-self: end; border-bottom-right-radius: 4px; }
.talk s { color: var(--soft); } .talk-note { color: var(--soft); font-size: 13px; margin: 14px 0 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; padding: 14px 0 5px; } tbody:first-of-type th { padding-top: 0; }
td { padding: 5px 0; border-top: 1px solid var(--line); vertical-align: top; }
td:nth-child(2) { text-align: right; padding: 5px 16px; white-space: nowrap; font-weight: 500; } td:nth-child(3) { color: var(--soft); }
td.good { color: var(--good); } td.bad { color: var(--stop); font-weight: 600; }
details summary { cursor: pointer; color: var(--soft); } details table { margin-top: 12px; font-size: 13px; }
details td:first-child { white-space: nowrap; padding-right: 16px; color: var(--soft); } details td:nth-child(2) { text-align: left; padding-left: 0; }
.axis { fill: var(--soft); } .grid { stroke: var(--line); } .lane { fill: var(--soft); font-weight: 600; }
.wave-caller { fill: var(--caller); } .wave-bot { fill: var(--bot); } .wave-ghost { fill: var(--ghost); opacity: 0.75; }
.bar-caller { fill: var(--caller-soft); stroke: var(--caller); } .bar-bot { fill: var(--bot-soft); stroke: var(--bot); }
.bar-text { fill: var(--ink); } .stop { stroke: var(--stop); stroke-width: 1.5; stroke-dasharray: 4 3; } .stop-text { fill: var(--stop); font-weight: 600; }
.gap { stroke: var(--soft); fill: none; } .gap-text { fill: var(--soft); } .ghost-edge { stroke: var(--ghost); }
.key { fill: var(--card); stroke: var(--caller); } .key-text { fill: var(--caller); font-weight: 700; } .dry { fill: var(--stop); }
`;
