// The flags with which a bench takes a model's shape.
#pragma once

#include <CLI/CLI.hpp>

#include "model/config.h"

namespace perennial {

inline void add_model_flags(CLI::App& app, ModelConfig& model) {
  app.add_option("--width", model.width)->capture_default_str();
  app.add_option("--layers", model.layers)->capture_default_str();
  app.add_option("--heads", model.heads)->capture_default_str();
  app.add_option("--window", model.window)->capture_default_str();
  app.add_option("--feed-forward", model.feed_forward)->capture_default_str();
}

}  // namespace perennial
