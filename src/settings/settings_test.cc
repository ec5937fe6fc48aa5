#include "settings/settings.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace perennial {
namespace {

TEST(Settings, EnvironmentWinsOverFileAndFileOverDefault) {
  std::vector<SettingOrigin> origins;
  const auto settings = parse_settings("[server]\nport = 9000\nthreads = 3\n[train]\nlearning_rate = 0.002\n",
                                       {{"PERENNIAL_SERVER_PORT", "9001"}}, &origins);
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_EQ(settings->port, 9001);
  EXPECT_EQ(settings->threads, 3);
  EXPECT_EQ(settings->learning_rate, 0.002);
  EXPECT_EQ(settings->patience, 10);
  const auto source = [&](const std::string& name) {
    for (const SettingOrigin& origin : origins)
      if (origin.name == name) return origin.source;
    return std::string("missing");
  };
  EXPECT_EQ(source("server.port"), "PERENNIAL_SERVER_PORT");
  EXPECT_EQ(source("server.threads"), "file");
  EXPECT_EQ(source("train.patience"), "default");
}

TEST(Settings, AnUnknownKeyNamesTheNearestOne) {
  const auto settings = parse_settings("[server]\nprot = 9000\n", {});
  ASSERT_EQ(settings.status().code(), Code::invalid_argument);
  EXPECT_NE(settings.status().message().find("server.port"), std::string::npos) << settings.status().message();
}

TEST(Settings, ValuesOutOfRangeAndOfOtherTypesAreRefusedByName) {
  for (const char* text : {"[server]\nport = 70000", "[server]\nport = \"x\"", "[server]\nexpose = 1",
                           "[train]\ndropout = 2.0", "not toml ="}) {
    const auto settings = parse_settings(text, {});
    EXPECT_EQ(settings.status().code(), Code::invalid_argument) << text;
  }
}

TEST(Settings, AHistoryShorterThanTheModelReadsIsRefused) {
  const auto settings = parse_settings("[profiles]\nhistory_limit = 100\n[train]\nlayers = 2\nwindow = 200\n", {});
  ASSERT_FALSE(settings.ok());
  EXPECT_NE(settings.status().message().find("400"), std::string::npos) << settings.status().message();
}

TEST(Settings, RolesOfEventTypesCanBeSet) {
  const auto settings = parse_settings(
      "[events.roles]\n\"Video Liked\" = \"token target value\"\n\"Product Viewed\" = \"ignored\"\n", {});
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_EQ(settings->roles.role_of("Video Liked"),
            (EventRole{.token = true, .target = true, .value = true, .negative = false}));
  EXPECT_EQ(settings->roles.role_of("Product Viewed"), EventRole{});
  EXPECT_FALSE(parse_settings("[events.roles]\nview = \"tokne\"\n", {}).ok());
  const auto lifecycle = parse_settings(
      "[lifecycle]\npreset = \"saas\"\n[lifecycle.signals]\nvalue = \"Invoice Paid\"\n"
      "[lifecycle.stages]\nretention = \"value >= 2\"\n",
      {});
  ASSERT_TRUE(lifecycle.ok()) << lifecycle.status().message();
  EXPECT_EQ(lifecycle->lifecycle_preset, "saas");
  EXPECT_EQ(lifecycle->lifecycle_signals.at("value"), "Invoice Paid");
  EXPECT_EQ(lifecycle->lifecycle_stages.at("retention"), "value >= 2");
}

TEST(Settings, ObjectivesHaveAWeightForEachStageAndOutcome) {
  std::vector<SettingOrigin> origins;
  const auto settings = parse_settings(
      "[objectives]\nenabled = false\nholdout_share = 0.2\n[objectives.at_risk]\nrevisit = 2\nmoney = 0.25\n",
      {{"PERENNIAL_OBJECTIVES_ACQUISITION_CONVERSION", "0.7"}}, &origins);
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_FALSE(settings->objectives);
  EXPECT_EQ(settings->objectives_holdout_share, 0.2);
  EXPECT_EQ(settings->objective_weights.at("at_risk.revisit"), 2);
  EXPECT_EQ(settings->objective_weights.at("at_risk.money"), 0.25);
  EXPECT_EQ(settings->objective_weights.at("acquisition.conversion"), 0.7);
  EXPECT_EQ(settings->objective_weights.at("churned.revisit"), default_objective_weights().at("churned.revisit"));
  EXPECT_EQ(settings->objective_weights.size(), 8U * 5U);
  const auto shown = std::count_if(origins.begin(), origins.end(), [](const SettingOrigin& origin) {
    return origin.name.starts_with("objectives.") && !origin.meaning.empty();
  });
  EXPECT_EQ(shown, 2 + 8 * 5);
}

TEST(Settings, WrongObjectivesAreToldWhatIsWrong) {
  const auto told = [](const char* toml) {
    return std::string(parse_settings(toml, {}, nullptr, "shop.toml").status().message());
  };
  const std::string stage = told("[objectives.aquisition]\nconversion = 1\n");
  EXPECT_NE(stage.find("did you mean 'objectives.acquisition.conversion'"), std::string::npos) << stage;
  const std::string outcome = told("[objectives.churned]\nrevisits = 1\n");
  EXPECT_NE(outcome.find("did you mean 'objectives.churned.revisit'"), std::string::npos) << outcome;
  EXPECT_EQ(told("[objectives.churned]\n\nrevisit = -1\n"),
            "shop.toml:3: objectives.churned.revisit must be a number from 0 to 5, not '-1'");
  EXPECT_NE(told("[objectives]\nholdout_share = 1.5\n").find("objectives.holdout_share must be a number from 0 to 1"),
            std::string::npos);
  EXPECT_NE(told("[objectives]\nenabled = \"yes\"\n").find("must be true or false"), std::string::npos);
}

TEST(Settings, ErrorsPointAtTheLine) {
  const auto told = [](const char* toml) { return parse_settings(toml, {}, nullptr, "shop.toml").status().message(); };
  EXPECT_TRUE(told("[server]\n\nport = 99999\n").starts_with("shop.toml:3: ")) << told("[server]\n\nport = 99999\n");
  EXPECT_TRUE(told("# two\n[server]\nprot = 1\n").starts_with("shop.toml:3: unknown key"));
  EXPECT_TRUE(told("[train]\nheads = 3\nwidth = 64\n").starts_with("shop.toml:3: train.width 64"));
  const auto settings = parse_settings("[lifecycle.stages]\nretention = \"x\"\n", {}, nullptr, "shop.toml");
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(with_place(invalid_argument("lifecycle.stages.retention: bad"), *settings).message(),
            "shop.toml:2: lifecycle.stages.retention: bad");
  EXPECT_EQ(with_place(invalid_argument("lifecycle: bad"), *settings).message(), "shop.toml:2: lifecycle: bad");
  EXPECT_EQ(with_place(invalid_argument("other: bad"), *settings).message(), "other: bad");
}

}  // namespace
}  // namespace perennial
