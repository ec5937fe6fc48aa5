#include "base/digest.h"

#include <gtest/gtest.h>

#include <set>

namespace perennial {
namespace {

// The vectors of FIPS 180-2.
constexpr const char* kOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kOfMillionA = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, KnownVectors) {
  EXPECT_EQ(to_hex(sha256("")), kOfNothing);
  EXPECT_EQ(to_hex(sha256("abc")), kOfAbc);
  EXPECT_EQ(to_hex(sha256(std::string(1'000'000, 'a'))), kOfMillionA);
}

TEST(Sha256, PiecesGiveTheDigestOfTheWhole) {
  Sha256Stream stream;
  const std::string piece(777, 'a');
  for (int i = 0; i < 1'000'000 / 777; ++i) stream.add(piece);
  stream.add("");
  stream.add(std::string(1'000'000 % 777, 'a'));
  EXPECT_EQ(to_hex(stream.finish()), kOfMillionA);
}

TEST(MessageId, IsTheFrontOfTheDigest) {
  EXPECT_EQ(to_hex(message_id_of("abc")), std::string(kOfAbc).substr(0, 32));
  EXPECT_NE(message_id_of("abc"), message_id_of("abd"));
}

TEST(MessageId, HexGoesThereAndBack) {
  for (const std::string hex :
       {"00000000000000000000000000000000", "0123456789abcdeffedcba9876543210", "ffffffffffffffffffffffffffffffff"})
    EXPECT_EQ(to_hex(message_id_from_hex(hex).value()), hex);
  EXPECT_TRUE(message_id_from_hex(std::string(32, '0')).value().is_zero());
}

TEST(MessageId, RefusesOtherText) {
  for (const std::string& hex : {std::string(), std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'),
                                 std::string(32, 'g'), std::string(31, 'a') + ' ', std::string(1000, 'a')})
    EXPECT_EQ(message_id_from_hex(hex).status().code(), Code::invalid_argument) << hex;
}

TEST(MessageId, DerivedIdsAreDistinctAndNeverZero) {
  std::set<MessageId> seen;
  for (const MessageId& base :
       {MessageId{}, message_id_of("file"), message_id_of("file2"), MessageId{1, 0}, MessageId{0, 1}}) {
    for (uint64_t index = 0; index < 20'000; ++index) {
      const MessageId id = derive_message_id(base, index);
      ASSERT_FALSE(id.is_zero());
      ASSERT_TRUE(seen.insert(id).second) << index;
    }
  }
}

TEST(MessageId, DerivingIsAFunction) {
  const MessageId base = message_id_of("file");
  EXPECT_EQ(derive_message_id(base, 7), derive_message_id(base, 7));
  EXPECT_NE(derive_message_id(base, 7), base);
}

TEST(RandomId, DoesNotRepeat) {
  EXPECT_NE(random_message_id(), random_message_id());
  const std::string hex = random_hex(20);
  EXPECT_EQ(hex.size(), 40U);
  EXPECT_EQ(hex.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(hex, random_hex(20));
  EXPECT_EQ(random_hex(0), "");
}

}  // namespace
}  // namespace perennial
