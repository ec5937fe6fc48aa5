// What asks for a list: a body's fields, a query, and the rules of rules.json.
#include "server/list_rules_file.h"
#include "server/recommend_question.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto rules = parse_list_rules(text); rules.ok()) {
    for (const ListRule& rule : *rules) PERENNIAL_CHECK(!rule.name.empty(), "a rule without a name");
  }
  const auto check = [](const Result<json::object>& fields) {
    if (!fields.ok()) return;
    const Result<RecommendQuestion> question = read_question(*fields);
    PERENNIAL_CHECK(question.ok() || !question.status().message().empty(), "a failure without words");
    if (!question.ok()) return;
    PERENNIAL_CHECK(question->request.count >= 1 && question->request.count <= kMostListed, "a list of {}",
                    question->request.count);
  };
  check(parse_json_object(text));
  check(fields_of_query(text, {}));
  return 0;
}
