#include "training/query_maker.h"

#include <algorithm>
#include <cmath>

#include "forecast/chooser.h"

namespace perennial {
namespace {

constexpr int64_t kWantedQueries = 400'000;  // of all users together
constexpr int64_t kMostOfUser = 32;
constexpr int64_t kLeastOfUser = 2;

/// Of each user that is asked.
int64_t queries_of_user(int64_t users) { return std::clamp(kWantedQueries / users, kLeastOfUser, kMostOfUser); }

}  // namespace

int64_t query_bytes(int64_t users) {
  constexpr int64_t kOfAQuery = 400;  // its features and labels
  return std::min(2 * kWantedQueries, queries_of_user(std::max<int64_t>(1, users)) * users) * kOfAQuery;
}

QueryMaker::QueryMaker(const ForecastSource& source, const Dataset& dataset, const std::vector<size_t>& lengths,
                       ForecastHeadConfig config, uint64_t seed)
    : config_(std::move(config)) {
  const HeadFeatures features(*source.definition);
  const auto users = static_cast<int64_t>(std::max<size_t>(1, dataset.users.size()));
  const int64_t count = queries_of_user(users);
  const auto every = static_cast<uint64_t>(1 + count * users / (2 * kWantedQueries));  // of how many users one is asked
  Random random(mix64(seed ^ 0x71756572696573ULL));
  for (size_t i = 0; i < dataset.users.size(); ++i) {
    starts_.push_back(queries_.size());
    if (mix64(dataset.users[i].user) % every == 0) ask(source, features, dataset.users[i], lengths[i], count, random);
  }
  starts_.push_back(queries_.size());
}

void QueryMaker::ask(const ForecastSource& source, const HeadFeatures& features, const UserHistory& history,
                     size_t visible, int64_t count, Random& random) {
  const Found<Life> life = source.lives->find(history.user);
  if (life == nullptr || is_judge(source.lives->root_of(history.user)) || life->first_seen == kNoTime ||
      life->first_seen >= source.until)
    return;
  const Subject subject{history.user, life->first_seen, &life->facts};
  // A hidden token that is known to come would be an answer: nothing is asked of such a user.
  if (visible < history.tokens.size() && history.tokens[visible].time_ms <= source.until) return;
  for (int64_t i = 0; i < count; ++i) {
    const auto lived = static_cast<double>(source.until - life->first_seen);
    const TimeMs at = life->first_seen + static_cast<TimeMs>(random.uniform() * lived);
    Query& query = queries_.emplace_back();
    query.at = at;
    query.tokens_before = static_cast<int64_t>(tokens_until(std::span(history.tokens).first(visible), at));
    for (const double feature : features.of(*source.definition, subject, at))
      query.features.push_back(static_cast<float>(feature));
    query.labels = labels_of(config_, *source.definition, subject, at, source.until);
  }
}

std::pair<std::vector<float>, std::vector<float>> QueryMaker::scaling() const {
  const size_t F = config_.features.size();
  std::vector<double> mean(F);
  std::vector<double> squares(F);
  const double count = std::max<double>(1, static_cast<double>(queries_.size()));
  for (const Query& query : queries_)
    for (size_t i = 0; i < F; ++i) mean[i] += static_cast<double>(query.features[i]) / count;
  for (const Query& query : queries_)
    for (size_t i = 0; i < F; ++i) {
      const double off = static_cast<double>(query.features[i]) - mean[i];
      squares[i] += off * off / count;
    }
  std::vector<float> scale;
  for (const double square : squares) scale.push_back(square > 1e-10 ? static_cast<float>(std::sqrt(square)) : 1.0F);
  return {{mean.begin(), mean.end()}, std::move(scale)};
}

std::vector<QueryMaker::Moment> QueryMaker::moments(size_t user) const {
  std::vector<Moment> moments;
  for (size_t at = starts_[user]; at < starts_[user + 1]; ++at)
    moments.push_back({queries_[at].at, queries_[at].tokens_before});
  return moments;
}

ForecastQueries QueryMaker::make(const std::vector<HistoryPiece>& pieces,
                                 const std::vector<int64_t>& first_rows) const {
  const size_t hazards = config_.hazard_days.size();
  std::vector<int64_t> rows;
  std::vector<float> features, seen, event, outcomes, spend;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto [user, begin, first, end] = pieces[i];
    for (size_t at = starts_[user]; at < starts_[user + 1]; ++at) {
      const auto& [asked_at, tokens_before, of_user, labels] = queries_[at];
      const int64_t last = std::max<int64_t>(0, tokens_before - 1);
      if (last < first || last >= end) continue;  // another piece's
      rows.push_back(tokens_before == 0 ? -1 : first_rows[i] + last - begin);
      features.insert(features.end(), of_user.begin(), of_user.end());
      for (size_t hazard = 0; hazard < hazards; ++hazard) {
        seen.push_back(hazard < labels.hazards_seen ? 1.0F : 0.0F);
        event.push_back(labels.came && hazard + 1 == labels.hazards_seen ? 1.0F : 0.0F);
      }
      outcomes.insert(outcomes.end(), labels.outcomes.begin(), labels.outcomes.end());
      spend.push_back(labels.spend);
    }
  }
  const auto count = static_cast<int64_t>(rows.size());
  const auto matrix = [&](const std::vector<float>& values) {
    return torch::tensor(values).view({count, count == 0 ? 0 : static_cast<int64_t>(values.size()) / count});
  };
  return {torch::tensor(rows, torch::kInt64),
          matrix(features),
          matrix(seen),
          matrix(event),
          matrix(outcomes),
          torch::tensor(spend)};
}

}  // namespace perennial
