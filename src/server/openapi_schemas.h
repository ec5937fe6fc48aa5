// The schemas that /openapi.json names. Internal to openapi.cc.
#pragma once

#include <string_view>

namespace perennial {

/// A JSON object: schema by name.
extern const std::string_view kOpenapiSchemas;

}  // namespace perennial
