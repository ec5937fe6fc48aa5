#include "server/list_text.h"

#include "base/json_writer.h"

namespace perennial {
namespace {

constexpr size_t kListBytes = 600;  // without the items, about
constexpr size_t kItemBytes = 200;

constexpr const char* kDisplayFields[] = {"title", "price", "currency", "image_url", "url", "category", "brand"};

void write_reasons(JsonWriter& json, const std::vector<Reason>& reasons) {
  json.begin_array();
  for (const Reason& reason : reasons) {
    json.begin_object();
    json.member("code", reason.code);
    json.member("text", reason.text);
    json.member("evidence", reason.evidence);
    if (reason.by > 0) json.member("by", reason.by);
    json.end_object();
  }
  json.end_array();
}

void write_display_fields(JsonWriter& json, const Item& item) {
  for (const char* name : kDisplayFields) {
    const json::value* value = find_field(item.fields, name);
    if (value == nullptr) continue;
    json.key(name);
    json.value(*value);
  }
}

void write_items(JsonWriter& json, const Recommendation& list, const Catalogue& catalogue, bool explain) {
  json.begin_array();
  for (const RecommendedItem& item : list.items) {
    json.begin_object();
    json.member("item_id", item.item_id);
    json.member("score", item.score);
    json.member("propensity", item.propensity);
    json.member("source", source_name(item.source));
    if (explain) {
      json.key("reasons");
      write_reasons(json, item.reasons);
    }
    if (const Item* described = catalogue.find(item.item)) write_display_fields(json, *described);
    json.end_object();
  }
  json.end_array();
}

void write_objective(JsonWriter& json, const ChosenObjective& chosen, const Standing& standing) {
  const ObjectiveWeights& weights = chosen.objective.weights;
  json.begin_object();
  json.member("name", chosen.objective.name);
  json.member("stage", stage_name(standing.stage));
  json.member("overlay", overlay_name(standing.overlay));
  json.key("weights");
  json.begin_object();
  json.member("conversion", weights.conversion);
  json.member("money", weights.money);
  json.member("revisit", weights.revisit);
  json.member("breadth", weights.breadth);
  json.member("sharing", weights.sharing);
  json.end_object();
  json.member("applied", chosen.applied());
  json.key("why");
  chosen.applied() ? json.null() : json.text(chosen.why);
  json.end_object();
}

void write_attention(JsonWriter& json, const Recommendation& chosen) {
  json.begin_object();
  json.member("note", "what the newest event attends to in the last layer, the mean of its heads: no explanation");
  json.key("weights");
  json.begin_array();
  for (const auto& [item, weight] : chosen.attention) {
    json.begin_object();
    json.member("item_id", item);
    json.member("weight", weight);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace

std::string list_members(const Recommendation& list, const ChosenObjective& objective, const Standing& standing,
                         const Catalogue& catalogue, bool explain) {
  std::string text;
  text.reserve(kListBytes + kItemBytes * list.items.size());
  JsonWriter json(text);
  json.member("model", list.model);
  json.member("variant", objective.variant);
  json.member("stage", stage_name(standing.stage));
  json.member("overlay", overlay_name(standing.overlay));
  json.key("objective");
  write_objective(json, objective, standing);
  json.key("fallback");
  list.fallback.empty() ? json.null() : json.text(list.fallback);
  json.key("items");
  write_items(json, list, catalogue, explain);
  if (!list.attention.empty()) {
    json.key("attention");
    write_attention(json, list);
  }
  return text;
}

json::array items_of(const ServedRecommendation& served) {
  return parse_json_object("{" + served.list->members + "}")->at("items").as_array();
}

}  // namespace perennial
