#include "core/picture/plot.h"

#include <cairo.h>

#include <cmath>
#include <memory>

#include "core/picture/axis.h"
#include "core/picture/png.h"
#include "kernels/check.h"

namespace core::picture {
namespace {

constexpr int width = 960, height = 600;
constexpr double left = 90, right = 30, top = 50, bottom = 65;
constexpr double colours[][3] = {{0.12, 0.38, 0.69}, {0.85, 0.37, 0.05}, {0.20, 0.55, 0.24}, {0.55, 0.30, 0.65}};

class Canvas {
 public:
  explicit Canvas(const Plot& plot)
      : plot_(plot),
        surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height), &cairo_surface_destroy),
        cairo_(cairo_create(surface_.get()), &cairo_destroy) {
    for (const Series& series : plot.series) {
      for (double x : series.x) x_.add(x);
      for (double y : series.y) y_.add(y);
    }
    for (const Reference& reference : plot.references) y_.add(reference.y);
    x_.widen();
    y_.widen();
    cairo_set_source_rgb(cairo_.get(), 1, 1, 1);
    cairo_paint(cairo_.get());
    cairo_select_font_face(cairo_.get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  }

  Picture draw() {
    axes();
    int line = 0;
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      set_colour(i);
      curve(plot_.series[i]);
      legend(plot_.series[i].name, line++);
    }
    for (const Reference& reference : plot_.references) {
      const double dashes[] = {8, 5};
      cairo_set_source_rgb(cairo_.get(), 0.75, 0.1, 0.1);
      cairo_set_dash(cairo_.get(), dashes, 2, 0);
      stroke_line(left, at_y(reference.y), width - right, at_y(reference.y), 1.5);
      legend(reference.name, line++);
      cairo_set_dash(cairo_.get(), nullptr, 0, 0);
    }
    return picture();
  }

 private:
  double at_x(double x) const { return left + (x - x_.low) / (x_.high - x_.low) * (width - left - right); }
  double at_y(double y) const { return height - bottom - (y - y_.low) / (y_.high - y_.low) * (height - top - bottom); }
  void set_colour(std::size_t i) {
    const auto& colour = colours[i % std::size(colours)];
    cairo_set_source_rgb(cairo_.get(), colour[0], colour[1], colour[2]);
  }
  void stroke_line(double x0, double y0, double x1, double y1, double thickness) {
    cairo_set_line_width(cairo_.get(), thickness);
    cairo_move_to(cairo_.get(), x0, y0);
    cairo_line_to(cairo_.get(), x1, y1);
    cairo_stroke(cairo_.get());
  }
  /// `anchor`: which part of the text is at x; 0 its left end, 0.5 its middle, 1 its right end.
  void text(const std::string& what, double x, double y, double size, double anchor) {
    cairo_set_font_size(cairo_.get(), size);
    cairo_text_extents_t extents;
    cairo_text_extents(cairo_.get(), what.c_str(), &extents);
    cairo_move_to(cairo_.get(), x - anchor * extents.x_advance, y);
    cairo_show_text(cairo_.get(), what.c_str());
  }
  void axes() {
    const auto grid_line = [&](double x0, double y0, double x1, double y1) {
      cairo_set_source_rgb(cairo_.get(), 0.88, 0.88, 0.88);
      stroke_line(x0, y0, x1, y1, 1);
      cairo_set_source_rgb(cairo_.get(), 0.2, 0.2, 0.2);
    };
    for (double step = tick_step(x_), x = std::ceil(x_.low / step) * step; x <= x_.high; x += step) {
      grid_line(at_x(x), top, at_x(x), height - bottom);
      text(fmt::format("{:.6g}", std::abs(x) < 1e-9 * step ? 0 : x), at_x(x), height - bottom + 20, 13, 0.5);
    }
    for (double step = tick_step(y_), y = std::ceil(y_.low / step) * step; y <= y_.high; y += step) {
      grid_line(left, at_y(y), width - right, at_y(y));
      text(fmt::format("{:.6g}", std::abs(y) < 1e-9 * step ? 0 : y), left - 8, at_y(y) + 5, 13, 1);
    }
    stroke_line(left, height - bottom, width - right, height - bottom, 1.5);
    stroke_line(left, top, left, height - bottom, 1.5);
    text(plot_.title, width / 2.0, 30, 18, 0.5);
    text(plot_.x_label, (left + width - right) / 2, height - 15, 15, 0.5);
    cairo_save(cairo_.get());
    cairo_translate(cairo_.get(), 24, (top + height - bottom) / 2);
    cairo_rotate(cairo_.get(), -std::acos(-1.0) / 2);
    text(plot_.y_label, 0, 0, 15, 0.5);
    cairo_restore(cairo_.get());
  }
  void curve(const Series& series) {
    cairo_new_path(cairo_.get());  // text leaves a current point behind
    cairo_set_line_width(cairo_.get(), 2);
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (std::isfinite(series.y[i])) cairo_line_to(cairo_.get(), at_x(series.x[i]), at_y(series.y[i]));
    }
    cairo_stroke(cairo_.get());
    for (std::size_t i = 0; i < series.x.size() && series.x.size() <= 60; ++i) {
      if (!std::isfinite(series.y[i])) continue;
      cairo_arc(cairo_.get(), at_x(series.x[i]), at_y(series.y[i]), 3, 0, 7);
      cairo_fill(cairo_.get());
    }
  }
  void legend(const std::string& name, int line) {
    const double y = top + 18 + 22 * line, x = width - right - 330;
    stroke_line(x, y - 5, x + 28, y - 5, 3);
    cairo_set_source_rgb(cairo_.get(), 0.2, 0.2, 0.2);
    text(name, x + 36, y, 14, 0);
  }
  Picture picture() {
    cairo_surface_flush(surface_.get());
    const unsigned char* rows = cairo_image_surface_get_data(surface_.get());
    const int stride = cairo_image_surface_get_stride(surface_.get());
    Picture result{.width = width, .height = height, .channels = 3, .pixels = {}};
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c : {2, 1, 0}) result.pixels.push_back(rows[y * stride + 4 * x + c]);
      }
    }
    return result;
  }

  const Plot& plot_;
  std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)> surface_;
  std::unique_ptr<cairo_t, decltype(&cairo_destroy)> cairo_;
  Extent x_, y_;
};

}  // namespace

void write_plot(const std::filesystem::path& file, const Plot& plot) {
  write_png(file, Canvas(plot).draw());
}

}  // namespace core::picture
