#include <fmt/format.h>

#include "core/picture/axis.h"
#include "core/picture/plot.h"

namespace core::picture {
namespace {

constexpr double width = 480, height = 300, left = 62, right = 12, top = 12, bottom = 46;

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot) {
    for (const Series& series : plot.series) {
      for (const double x : series.x) x_.add(x);
      for (std::size_t i = 0; i < series.y.size(); ++i) {
        const double deviation = series.deviation.empty() ? 0 : series.deviation[i];
        y_.add(series.y[i] - deviation);
        y_.add(series.y[i] + deviation);
      }
    }
    for (const Reference& reference : plot.references) y_.add(reference.y);
    x_.widen();
    y_.widen();
  }

  std::string text() {
    axes();
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      band(plot_.series[i], i);
      curve(plot_.series[i], i);
    }
    int line = 0;
    for (const Reference& reference : plot_.references) {
      add(R"(<line class="reference" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", left, width - right,
          at_y(reference.y), at_y(reference.y));
      legend("reference", fmt::format("{}: {:.4f}", reference.name, reference.y), line++);
    }
    for (std::size_t i = 0; i < plot_.series.size(); ++i)
      legend(fmt::format("series{}", i), plot_.series[i].name, line++);
    return fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>)", width, height, plot_.title,
                       svg_);
  }

 private:
  double at_x(double x) const { return left + (x - x_.low) / (x_.high - x_.low) * (width - left - right); }
  double at_y(double y) const { return height - bottom - (y - y_.low) / (y_.high - y_.low) * (height - top - bottom); }
  template <typename... Arguments>
  void add(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    svg_ += fmt::format(text, std::forward<Arguments>(arguments)...);
  }

  void axes() {
    for (double step = tick_step(x_), x = std::ceil(x_.low / step) * step; x <= x_.high; x += step) {
      const double at = at_x(x);
      add(R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>)", at, at, top, height - bottom);
      add(R"(<text class="axis" x="{:.1f}" y="{}" text-anchor="middle">{:.6g}</text>)", at, height - bottom + 18,
          std::abs(x) < 1e-9 * step ? 0 : x);
    }
    for (double step = tick_step(y_), y = std::ceil(y_.low / step) * step; y <= y_.high; y += step) {
      const double at = at_y(y);
      add(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", left, width - right, at, at);
      add(R"(<text class="axis" x="{}" y="{:.1f}" text-anchor="end">{:.6g}</text>)", left - 7, at + 4.5,
          std::abs(y) < 1e-9 * step ? 0 : y);
    }
    add(R"(<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>)", (left + width - right) / 2, height - 6,
        plot_.x_label);
  }

  void band(const Series& series, std::size_t index) {
    if (series.deviation.empty()) return;
    std::string above, below;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!std::isfinite(series.y[i])) continue;
      above += fmt::format("{:.1f},{:.1f} ", at_x(series.x[i]), at_y(series.y[i] + series.deviation[i]));
      below.insert(0, fmt::format("{:.1f},{:.1f} ", at_x(series.x[i]), at_y(series.y[i] - series.deviation[i])));
    }
    add(R"(<polygon class="band series{}" points="{}{}"/>)", index, above, below);
  }

  void curve(const Series& series, std::size_t index) {
    std::string points, circles;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!std::isfinite(series.y[i])) continue;
      const double x = at_x(series.x[i]), y = at_y(series.y[i]);
      points += fmt::format("{:.1f},{:.1f} ", x, y);
      if (series.x.size() > 60) continue;
      circles += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3"><title>{:.6g}: {:.6g}</title></circle>)", x, y,
                             series.x[i], series.y[i]);
    }
    add(R"(<g class="series{}"><polyline points="{}"/>{}</g>)", index, points, circles);
  }

  void legend(const std::string& kind, const std::string& name, int line) {
    if (name.empty()) return;
    const double y = top + 16 + 19 * line, x = width - right - 8;
    add(R"(<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>)", kind, x - 22, x, y - 4.5, y - 4.5);
    add(R"(<text class="axis" x="{}" y="{}" text-anchor="end">{}</text>)", x - 28, y, name);
  }

  const Plot& plot_;
  Extent x_, y_;
  std::string svg_;
};

}  // namespace

std::string svg(const Plot& plot) {
  return Drawing(plot).text();
}

}  // namespace core::picture
