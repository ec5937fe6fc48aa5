// The OpenAPI 3.1 document of /openapi.json. A test holds it and the router's routes against each other.
#pragma once

#include <string>

namespace perennial {

const std::string& openapi_document();

}  // namespace perennial
