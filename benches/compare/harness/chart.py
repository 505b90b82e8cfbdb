"""The comparison as a picture: CPU time per request of each server as a share of what the second of them takes."""

from xml.sax.saxutils import escape

from .figures import good_rounds, middle

COLOURS = ["#2f6fde", "#8a94a6", "#c98a3d", "#5f9e6e", "#9a6fb0"]
WIDTH, LEFT, BAR, GAP, TOP = 760, 150, 16, 14, 60
SHARE_MAX = 1.6


def draw(rounds, facts):
    """The text of an SVG file: a group of bars for each scenario that the base took part in."""
    servers = list(facts)
    base = servers[min(1, len(servers) - 1)]
    scenarios = {name: shares(found, base) for name, found in rounds.items()}
    scenarios = {name: found for name, found in scenarios.items() if found}
    group = BAR * len(servers) + GAP
    height = TOP + group * len(scenarios) + 30
    per_share = (WIDTH - LEFT - 60) / SHARE_MAX
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="12" y="20" font-size="15">CPU time per request, {escape(base)} = 100 % (shorter is better; bars end at {SHARE_MAX:.0%})</text>',
    ]
    x = 12
    for server, colour in zip(servers, COLOURS):
        label = f"{server} (PHP {facts[server]['php']['version']})"
        lines.append(f'<rect x="{x}" y="32" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text x="{x + 17}" y="42">{escape(label)}</text>')
        x += 34 + 7 * len(label)
    y = TOP
    for name, found in scenarios.items():
        lines.append(f'<text x="{LEFT - 8}" y="{y + group / 2}" text-anchor="end">{escape(name)}</text>')
        for server, colour in zip(servers, COLOURS):
            if server in found:
                width = min(found[server], SHARE_MAX) * per_share
                lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>')
                lines.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + BAR - 4}">{found[server]:.0%}</text>')
            y += BAR
        y += GAP
    x = LEFT + per_share
    lines.append(f'<line x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{y}" stroke="#444" stroke-dasharray="3 3"/>')
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def shares(found, base):
    """Of each server: the median of its rounds' CPU time, as a share of the base's."""
    middles = {server: middle(good, "cpu_us") for server, rounds in found.items() if (good := good_rounds(rounds))}
    return {server: own / middles[base] for server, own in middles.items()} if base in middles else {}
