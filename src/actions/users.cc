#include "actions/users.h"

namespace perennial {

const std::string* trait_of(const Profile& profile, std::string_view trait) {
  const auto found = profile.traits.find(std::string(trait));
  return found == profile.traits.end() ? nullptr : &found->second.value;
}

void ActionUsers::each(UserId first, UserId end, const std::function<void(const PlannedUser&)>& visit) const {
  lives_.for_each(first, end, [&](UserId user, const Life& life) { visit_life(user, life, visit); });
}

bool ActionUsers::one(UserId user, const std::function<void(const PlannedUser&)>& visit) const {
  const Found<Life> life = lives_.find(user);
  if (life == nullptr || life->first_seen == kNoTime || life->first_seen > now_) return false;
  visit_life(lives_.root_of(user), *life, visit);
  return true;
}

void ActionUsers::visit_life(UserId user, const Life& life,
                             const std::function<void(const PlannedUser&)>& visit) const {
  if (life.first_seen == kNoTime || life.first_seen > now_) return;
  const std::string name = names_.name(user);
  const Found<Profile> profile = profiles_.find(user);
  PlannedUser planned;
  planned.subject = {user, life.first_seen, &life.facts};
  planned.view.id = name;
  planned.view.standing = standing_at(lives_.definition(), life.facts, now_);
  planned.view.contacts = contacts_.of(user);
  planned.view.facts = &life.facts;
  planned.view.last_draw = contacts_.last_draw(user);
  planned.view.trait = [&](std::string_view trait) { return profile == nullptr ? nullptr : trait_of(*profile, trait); };
  planned.view.forecast = [&](std::string_view question) -> std::optional<double> {
    if (forecasts_ == nullptr) return std::nullopt;
    const Result<Prediction> predicted = forecasts_->predict(question, planned.subject, now_);
    return predicted.ok() ? std::optional(predicted->value) : std::nullopt;
  };
  visit(planned);
}

}  // namespace perennial
