#include "delivery/signature.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

TEST(Signature, HmacIsThatOfTheStandard) {  // RFC 4231, test cases 1, 2 and 6
  EXPECT_EQ(hmac_sha256(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Signature, CoversTimeAndBody) {
  const std::string signature = signature_of("secret", 1'700'000'000'999, "{}");
  EXPECT_EQ(signature, "t=1700000000,v1=" + hmac_sha256("secret", "1700000000.{}"));
  EXPECT_NE(signature_of("secret", 1'700'000'001'000, "{}"), signature);
  EXPECT_NE(signature_of("other", 1'700'000'000'999, "{}"), signature);
}

}  // namespace
}  // namespace perennial
