/** The admin listener's page: the calls in progress, asked for every second. Script and style are files of their own,
 * because the content security policy allows nothing inline. */
export const ADMIN_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Offhook: calls</title>
<link rel="stylesheet" href="/calls.css">
<script src="/calls.js" defer></script>
</head>
<body>
<h1>Calls in progress</h1>
<p id="state" role="status">Asking …</p>
<form id="access" hidden><label>Admin token <input id="token" type="password" autocomplete="off"></label> <button>Use it</button></form>
<table>
<thead><tr><th scope="col">Call</th><th scope="col">Carrier</th><th scope="col">Bot</th><th scope="col">State</th><th scope="col">Length</th><th scope="col"><span class="unseen">Action</span></th></tr></thead>
<tbody id="calls"></tbody>
</table>
<p><a href="/metrics">Metrics</a></p>
</body>
</html>
`;

export const ADMIN_STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.4rem 0.8rem 0.4rem 0; border-bottom: 1px solid #8886; }
td { font-variant-numeric: tabular-nums; }
.unseen { position: absolute; clip-path: inset(50%); }
`;

export const ADMIN_SCRIPT = `'use strict';
const byId = (id) => document.getElementById(id);
const headers = () => {
  const token = sessionStorage.getItem('adminToken');
  return token ? { authorization: 'Bearer ' + token } : {};
};
const length = (ms) => Math.floor(ms / 60000) + ':' + String(Math.floor(ms / 1000) % 60).padStart(2, '0');

function row(call) {
  const line = document.createElement('tr');
  for (const text of [call.ref, call.carrier, call.bot, call.state, length(call.durationMs)]) {
    line.insertCell().textContent = text;
  }
  const button = document.createElement('button');
  button.textContent = 'Hang up';
  button.setAttribute('aria-label', 'Hang up call ' + call.ref);
  button.addEventListener('click', () => hangUp(call.ref));
  line.insertCell().append(button);
  return line;
}

async function hangUp(ref) {
  await fetch('/api/calls/' + encodeURIComponent(ref) + '/hangup', { method: 'POST', headers: headers() });
  await refresh();
}

async function refresh() {
  try {
    const answer = await fetch('/api/calls', { headers: headers(), signal: AbortSignal.timeout(5000) });
    byId('access').hidden = answer.status !== 401;
    if (answer.status === 401) {
      byId('state').textContent = 'This gateway asks for its admin token.';
      return;
    }
    const { calls, capacity, draining } = await answer.json();
    const taken = calls.length + ' of ' + capacity + ' calls';
    byId('state').textContent = draining ? taken + '; no new ones, the gateway is stopping.' : taken + '.';
    // A button under the pointer or with the focus stays what it is.
    if (!byId('calls').contains(document.activeElement)) byId('calls').replaceChildren(...calls.map(row));
  } catch {
    byId('state').textContent = 'The gateway does not answer.';
  }
}

byId('access').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('adminToken', byId('token').value);
  refresh();
});
refresh();
setInterval(refresh, 1000);
`;
