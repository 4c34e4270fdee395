#include "launch/page.h"

#include <fmt/format.h>

#include <boost/archive/iterators/base64_from_binary.hpp>
#include <boost/archive/iterators/transform_width.hpp>

namespace launch {
namespace {

constexpr const char* style = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1d232b; --quiet: #5b6673; --line: #dfe3e8;
        --c0: #1f62b0; --c1: #c8560a; --c2: #2c7a3d; --c3: #86449b; --mark: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --card: #1d2127; --ink: #e6e9ed; --quiet: #9aa5b1; --line: #333a43;
          --c0: #6cabf2; --c1: #f2994a; --c2: #6fcf84; --c3: #cf93e6; --mark: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: .95rem; font-weight: 600; margin: 0 0 .4rem; }
p { margin: .3rem 0; } .quiet { color: var(--quiet); font-size: .9rem; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem; min-width: 0; }
.figures, .plots { display: grid; gap: .8rem; }
.figures { grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); margin-top: 1rem; }
.figures b { display: block; font-size: 1.2rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
.plots { grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.term td:first-child { padding-left: 1.2rem; } .term { color: var(--quiet); }
img { display: block; max-width: 100%; margin: 0 auto; image-rendering: pixelated; border-radius: .3rem; }
pre { margin: 0; font: .82rem/1.45 ui-monospace, monospace; overflow-x: auto; }
summary { cursor: pointer; }
svg { display: block; width: 100%; height: auto; font: 13px system-ui, sans-serif; }
svg .axis { fill: var(--quiet); } svg .grid { stroke: var(--line); }
svg .series0 { --c: var(--c0); } svg .series1 { --c: var(--c1); } svg .series2 { --c: var(--c2); }
svg .series3 { --c: var(--c3); }
svg polyline, svg line[class^="series"] { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
svg circle { fill: var(--c); } svg .band { fill: var(--c); opacity: .18; }
svg .reference { stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 6 4; }
@media (max-width: 40rem) {
  svg { font-size: 17px; }
  .likelihood thead { display: none; } .likelihood tr { display: grid; grid-template-columns: 1fr auto auto;
    border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .likelihood td { border: 0; padding: 0 0 0 .6rem; } .likelihood td:first-child { padding-left: 0; }
  .likelihood .term td:first-child { padding-left: 1rem; }
  .likelihood td:last-child { grid-column: 1 / -1; padding-left: 0; font-size: .85rem; color: var(--quiet); }
  .likelihood .term td:last-child { padding-left: 1rem; }
}
)";

std::string figures_of(const PageContent& content) {
  std::string html = R"(<div class="figures">)";
  for (const auto& figure : content.figures) {
    html += fmt::format(R"(<div class="card"><b>{}</b><span class="quiet">{}</span></div>)", escaped(figure.value),
                        escaped(figure.meaning));
  }
  return html + "</div>";
}

std::string likelihood_of(const std::optional<LikelihoodTable>& table) {
  std::string html = "<h2>Likelihood</h2>";
  if (!table) return html + R"(<p class="quiet">Not evaluated yet: scoremle evaluate --run …</p>)";
  html += R"(<div class="card wide"><table class="likelihood"><thead><tr><th>bits/dim</th><th class="number">mean</th>)"
          R"(<th class="number">s.e.</th><th>how</th></tr></thead><tbody>)";
  for (const auto& row : table->rows) {
    html += fmt::format(R"(<tr{}><td>{}</td><td class="number">{:.4f}</td><td class="number">{}</td><td>{}</td></tr>)",
                        row.level > 0 ? R"( class="term")" : "", escaped(row.name), row.mean,
                        core::likelihood::error_text(row.standard_error), escaped(row.how));
  }
  return html + fmt::format(R"(</tbody></table><p class="quiet">Data: {}</p><p class="quiet">Model: {}</p></div>)",
                            escaped(table->data), escaped(table->model));
}

std::string plots_of(const PageContent& content) {
  std::string html = R"(<h2>Curves</h2><div class="plots">)";
  for (const auto& plot : content.plots)
    html += fmt::format(R"(<figure class="card" style="margin:0"><h3>{}</h3>{}</figure>)", escaped(plot.title),
                        core::picture::svg(plot));
  return html + "</div>";
}

std::string samples_of(const std::string& png) {
  return "<h2>Samples</h2>" +
         (png.empty() ? R"(<p class="quiet">None drawn yet: scoremle sample --run …</p>)"
                      : fmt::format(R"(<div class="card"><img alt="samples" src="data:image/png;base64,{}"></div>)",
                                    base64(png)));
}

std::string environment_of(const std::vector<Job>& jobs) {
  std::string html =
      R"(<h2>Environment</h2><div class="card wide"><table><thead><tr><th>started (UTC)</th><th>ranks × threads</th>)"
      R"(<th>device</th><th>processor</th><th>host</th><th>scoremle</th></tr></thead><tbody>)";
  for (const Job& job : jobs) {
    html += fmt::format("<tr><td>{}</td><td>{} × {}</td><td>{}</td><td>{}, {} threads</td><td>{}</td><td>{}</td></tr>",
                        escaped(job.started), job.ranks, job.threads, escaped(job.device), escaped(job.processor),
                        job.cores, escaped(job.host), escaped(job.version));
  }
  return html + "</tbody></table></div>";
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string html;
  for (const char c : text) {
    if (c == '&')
      html += "&amp;";
    else if (c == '<')
      html += "&lt;";
    else if (c == '>')
      html += "&gt;";
    else if (c == '"')
      html += "&quot;";
    else
      html += c;
  }
  return html;
}

std::string base64(const std::string& bytes) {
  using Bits = boost::archive::iterators::transform_width<std::string::const_iterator, 6, 8>;
  using Digits = boost::archive::iterators::base64_from_binary<Bits>;
  const std::string padded = bytes + std::string((3 - bytes.size() % 3) % 3, '\0');
  std::string text(Digits(padded.begin()), Digits(padded.end()));
  const std::size_t filled = padded.size() - bytes.size();
  return text.replace(text.size() - filled, filled, filled, '=');
}

std::string html(const PageContent& content) {
  return fmt::format(
      R"(<!doctype html><html lang="en"><head><meta charset="utf-8">)"
      R"(<meta name="viewport" content="width=device-width, initial-scale=1"><title>{0}</title><style>{1}</style></head>)"
      R"(<body><main><h1>{0}</h1><p class="quiet">{2}</p>{3}{4}{5}{6}<h2>Configuration</h2>)"
      R"(<details class="card"><summary>The effective config</summary><pre>{7}</pre></details>{8}</main></body></html>)"
      "\n",
      escaped(content.name), style, escaped(content.summary), figures_of(content), likelihood_of(content.likelihood),
      plots_of(content), samples_of(content.samples_png), escaped(content.config), environment_of(content.jobs));
}

}  // namespace launch
