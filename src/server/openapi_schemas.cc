#include "server/openapi_schemas.h"

namespace perennial {

const std::string_view kOpenapiSchemas = R"json({
  "Problem": {
    "description": "RFC 9457. A batch that was wholly rejected carries 'success', 'accepted' and 'rejected' as well.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
      "type": {"type": "string", "examples": ["urn:perennial:problem:invalid_argument"]},
      "title": {"type": "string"},
      "status": {"type": "integer"},
      "detail": {"type": "string", "description": "What is wrong and what to do."},
      "code": {"type": "string", "examples": ["invalid_argument", "unauthenticated", "not_found", "resource_exhausted"]},
      "success": {"type": "boolean", "const": false},
      "accepted": {"type": "integer"},
      "rejected": {"type": "array", "items": {"$ref": "#/components/schemas/Rejection"}}
    }
  },
  "Rejection": {
    "type": "object",
    "required": ["index", "code", "error"],
    "properties": {
      "index": {"type": "integer", "description": "Place in the list that was sent, from 0."},
      "code": {"type": "string"},
      "error": {"type": "string"}
    }
  },
  "Message": {
    "description": "A message of Segment's tracking spec. Unknown fields are kept out of the way, not rejected.",
    "type": "object",
    "properties": {
      "type": {"enum": ["track", "identify", "page", "screen", "group", "alias"], "description": "Needed in a batch only."},
      "messageId": {"type": "string", "description": "The same id again is a no-op, so a retry is safe."},
      "userId": {"type": "string"},
      "anonymousId": {"type": "string"},
      "previousId": {"type": "string", "description": "alias: the identity that becomes userId."},
      "event": {"type": "string", "description": "track: what the user did, such as 'Product Viewed'."},
      "properties": {
        "type": "object",
        "properties": {
          "product_id": {"type": "string"},
          "products": {"type": "array", "items": {"type": "object"}},
          "price": {"type": "number"},
          "quantity": {"type": "integer"},
          "currency": {"type": "string"},
          "rating": {"type": "number"},
          "recommendation_id": {"type": "string", "description": "Of the slate that led here: credits it."}
        }
      },
      "traits": {"type": "object"},
      "context": {"type": "object"},
      "timestamp": {"type": "string", "format": "date-time"},
      "sentAt": {"type": "string", "format": "date-time"},
      "writeKey": {"type": "string", "description": "The API key, for clients that cannot send a header."}
    }
  },
  "Batch": {
    "type": "object",
    "required": ["batch"],
    "properties": {
      "batch": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Message"}},
      "context": {"type": "object", "description": "For the messages that have none."},
      "sentAt": {"type": "string", "format": "date-time"},
      "writeKey": {"type": "string"}
    }
  },
  "Accepted": {
    "type": "object",
    "required": ["success", "accepted"],
    "properties": {
      "success": {"type": "boolean"},
      "accepted": {"type": "integer", "description": "Messages or items taken; they are on the disk."},
      "records": {"type": "integer", "description": "Records that the messages became: an order has one a product."},
      "repeated": {"type": "integer", "description": "Records that were there already: nothing was done for them."},
      "rejected": {"type": "array", "items": {"$ref": "#/components/schemas/Rejection"}}
    }
  },
  "Filter": {
    "type": "object",
    "description": "All members must hold. A member is a field of items: a value, or a list of which one must be there; {min, max} of a number. near: at most km from a point, by the fields lat and lon. not: a filter that must not hold, or a list of such. At most 32 conditions and 1,000 values.",
    "properties": {
      "near": {"type": "object", "required": ["lat", "lon", "km"], "additionalProperties": false,
        "properties": {"lat": {"type": "number", "minimum": -90, "maximum": 90}, "lon": {"type": "number", "minimum": -360, "maximum": 360}, "km": {"type": "number", "minimum": 0}}},
      "not": {"oneOf": [{"$ref": "#/components/schemas/Filter"}, {"type": "array", "items": {"$ref": "#/components/schemas/Filter"}}]}
    },
    "additionalProperties": {"oneOf": [
      {"type": ["string", "number", "boolean"]},
      {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
      {"type": "object", "additionalProperties": false, "properties": {"min": {"type": "number"}, "max": {"type": "number"}}}
    ]}
  },
  "RerankRequest": {
    "type": "object",
    "required": ["items"],
    "description": "A caller's list; besides items, what RecommendRequest takes but include, count, similar_to and after.",
    "properties": {
      "items": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 500},
      "user_id": {"type": "string"},
      "exclude_seen": {"oneOf": [{"type": "boolean"}, {"type": "string"}], "default": false}
    }
  },
  "RecommendRequest": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "user_id": {"type": "string"},
      "anonymous_id": {"type": "string", "description": "Used when user_id is absent or nothing is known of it."},
      "session": {"type": "string", "description": "Another name of anonymous_id."},
      "surface": {"type": "string", "default": "default", "maxLength": 100},
      "count": {"type": "integer", "minimum": 1, "maximum": 500, "default": 10},
      "exclude_seen": {"oneOf": [{"type": "boolean"}, {"type": "string"}], "default": true, "description": "Or how long ago at most: \"30d\"."},
      "explain": {"type": "boolean", "default": false},
      "attention": {"type": "boolean", "default": false, "description": "For debugging: the weights of the model's last layer. They explain nothing."},
      "session_items": {"type": "array", "items": {"type": "string"}, "maxItems": 100, "description": "Touched just now, the newest last, and perhaps not sent as events; of a visitor without a user_id all that is known."},
      "similar_to": {"type": "string", "description": "An item: the list is of items like it, whatever the user likes."},
      "after": {"type": "string", "description": "The recommendation_id of the page before: nothing that it or those before it showed comes again."},
      "filter": {"$ref": "#/components/schemas/Filter"},
      "include": {"type": "array", "items": {"type": "string"}, "maxItems": 1000, "description": "Only these items."},
      "exclude": {"type": "array", "items": {"type": "string"}, "maxItems": 1000, "description": "Not these items."},
      "pin": {"type": "array", "items": {"type": "string"}, "maxItems": 1000, "description": "These first, in this order, whatever the filter says, if they may be shown at all."},
      "boost": {"type": "array", "maxItems": 16, "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["filter", "by"],
        "properties": {
          "filter": {"$ref": "#/components/schemas/Filter"},
          "by": {"type": "number", "minimum": -10, "maximum": 10, "description": "Added to the logit: 0.69 counts an item as twice as likely; negative buries."}
        }
      }},
      "diversity": {"type": "number", "minimum": 0, "maximum": 10, "default": 0, "description": "MMR: taken off an item's logit for each unit of its likeness (cosine) to the most alike item above it."},
      "max_per_category": {"type": "integer", "minimum": 1, "maximum": 500, "description": "Items of one first category."},
      "explore": {"type": "number", "minimum": 0, "maximum": 1, "default": 0, "description": "At each place, with this probability, any candidate; propensities say so."},
      "context": {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "time": {"type": "string", "description": "The user's own clock, ISO 8601; now when absent."},
          "timezone": {"type": "string"},
          "place": {"type": "object"},
          "weather": {"type": "object"},
          "device": {"type": "string"},
          "activity": {"type": "string"}
        }
      }
    }
  },
  "RecommendedItem": {
    "description": "With the item's own fields from title on as far as they are known.",
    "type": "object",
    "required": ["item_id", "score", "propensity", "source"],
    "properties": {
      "item_id": {"type": "string"},
      "score": {"type": "number"},
      "propensity": {"type": "number", "description": "Probability with which the policy puts it here."},
      "source": {"type": "string"},
      "reasons": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {"code": {"type": "string", "description": "history, popular, objective, boosted, buried, pinned or exploration."}, "text": {"type": "string"}, "evidence": {"type": "string", "description": "The item, the aim or the rule behind it."}, "by": {"type": "number", "description": "Of history: how much lower the score would be, in logits, without that item among the newest 48 events."}}
        }
      },
      "title": {"type": "string"},
      "price": {"type": "number"},
      "currency": {"type": "string"},
      "image_url": {"type": "string"},
      "url": {"type": "string"},
      "category": {"type": ["array", "string"], "items": {"type": "string"}},
      "brand": {"type": "string"}
    }
  },
  "Recommendation": {
    "type": "object",
    "required": ["recommendation_id", "model", "variant", "stage", "overlay", "objective", "fallback", "items", "took_ms"],
    "properties": {
      "recommendation_id": {"type": "string", "description": "Send it back as properties.recommendation_id."},
      "model": {"type": "string"},
      "variant": {"$ref": "#/components/schemas/Variant"},
      "stage": {"$ref": "#/components/schemas/Stage"},
      "overlay": {"$ref": "#/components/schemas/Overlay"},
      "objective": {"$ref": "#/components/schemas/Objective"},
      "fallback": {"type": ["string", "null"], "description": "Why the model did not choose: no_model, unknown_user, control_group, ..."},
      "items": {"type": "array", "items": {"$ref": "#/components/schemas/RecommendedItem"}},
      "attention": {"type": "object", "description": "When it was asked for.", "properties": {
        "note": {"type": "string"},
        "weights": {"type": "array", "items": {"type": "object", "properties": {"item_id": {"type": "string"}, "weight": {"type": "number"}}}}
      }},
      "took_ms": {"type": "number"}
    }
  },
  "ServedRecommendation": {
    "type": "object",
    "properties": {
      "recommendation_id": {"type": "string"},
      "user_id": {"type": "string"},
      "time": {"type": ["string", "null"], "format": "date-time"},
      "surface": {"type": "string"},
      "model": {"type": "string"},
      "variant": {"type": "string"},
      "stage": {"type": "string"},
      "context": {"type": "object"},
      "items": {"type": "array", "items": {"$ref": "#/components/schemas/RecommendedItem"}},
      "feedback": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "kind": {"enum": ["impression", "click", "order", "rating", "other"]},
            "event": {"type": "string"},
            "item_id": {"type": "string"},
            "user_id": {"type": "string"},
            "time": {"type": ["string", "null"], "format": "date-time"}
          }
        }
      }
    }
  },
  "Item": {
    "description": "Fields that are named replace those before, the others stay. Further fields are kept as they are.",
    "type": "object",
    "required": ["item_id"],
    "additionalProperties": true,
    "properties": {
      "item_id": {"type": "string"},
      "title": {"type": "string"},
      "description": {"type": "string"},
      "category": {"type": ["array", "string"], "items": {"type": "string"}},
      "brand": {"type": "string"},
      "price": {"type": "number"},
      "currency": {"type": "string"},
      "image_url": {"type": "string"},
      "available": {"type": "boolean"},
      "created_at": {"type": "string"}
    }
  },
  "Items": {
    "oneOf": [
      {"$ref": "#/components/schemas/Item"},
      {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Item"}},
      {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Item"}}}
      }
    ]
  },
  "Deleted": {
    "type": "object",
    "properties": {"item_id": {"type": "string"}, "deleted": {"type": "boolean"}}
  },
  "Erased": {
    "type": "object",
    "properties": {
      "user_id": {"type": "string"},
      "erased": {"type": "boolean"},
      "identities": {"type": "integer", "description": "That were merged into it, itself among them; 0 when only a served slate named it."}
    }
  },
  "Health": {"type": "object", "properties": {"status": {"type": "string", "const": "ok"}}},
  "Readiness": {
    "type": "object",
    "properties": {
      "status": {"type": "string", "const": "ready"},
      "model": {"type": "string", "description": "Its id, or none."},
      "log_offset": {"type": "integer", "description": "Records in the log that the answers know."}
    }
  },
  "BrowserSettings": {
    "description": "As Segment's CDN has them: the SDK's own format.",
    "type": "object",
    "properties": {"integrations": {"type": "object"}, "metrics": {"type": "object"}, "plan": {"type": "object"}}
  },
  "Variant": {
    "description": "The arm of the user, also in the logged slate: plain when objectives are off, holdout for users who never have one.",
    "type": "string",
    "enum": ["plain", "stage-aware", "holdout", "control"]
  },
  "Objective": {
    "description": "What the user's stage asks of the list. Weights as in [objectives] of the configuration.",
    "type": "object",
    "required": ["name", "stage", "overlay", "weights", "applied", "why"],
    "properties": {
      "name": {"type": "string", "enum": ["first_value", "second_value", "return", "breadth_and_value", "sharing", "win_back"]},
      "stage": {"$ref": "#/components/schemas/Stage"},
      "overlay": {"$ref": "#/components/schemas/Overlay"},
      "weights": {
        "type": "object",
        "properties": {
          "conversion": {"type": "number"},
          "money": {"type": "number"},
          "revisit": {"type": "number"},
          "breadth": {"type": "number"},
          "sharing": {"type": "number"}
        }
      },
      "applied": {"type": "boolean", "description": "Whether the list was ordered by it."},
      "why": {"type": ["string", "null"], "description": "Not applied because: off, holdout, control, no_weights or similar_items."}
    }
  },
  "Stage": {"type": "string", "enum": ["acquisition", "activation", "retention", "expansion", "advocacy"]},
  "Overlay": {"type": "string", "enum": ["none", "at_risk", "churned", "won_back"]},
  "UserLifecycle": {
    "type": "object",
    "properties": {
      "user_id": {"type": "string", "description": "The identity that the asked one was merged into."},
      "at": {"type": "string", "format": "date-time"},
      "stage": {"$ref": "#/components/schemas/Stage"},
      "overlay": {"$ref": "#/components/schemas/Overlay"},
      "since": {"type": ["string", "null"], "format": "date-time"},
      "next_change": {
        "description": "Without another event nothing changes before; null when nothing ever does.",
        "type": ["string", "null"],
        "format": "date-time"
      },
      "transitions": {
        "description": "Oldest first.",
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "time": {"type": "string", "format": "date-time"},
            "stage": {"$ref": "#/components/schemas/Stage"},
            "overlay": {"$ref": "#/components/schemas/Overlay"},
            "from_stage": {"$ref": "#/components/schemas/Stage"},
            "from_overlay": {"$ref": "#/components/schemas/Overlay"},
            "cause": {"type": "string", "description": "The event's type, or what time alone brought about."},
            "offset": {"type": ["integer", "null"], "description": "Of that event in the log."},
            "rule": {"type": ["string", "null"], "description": "Of the stage that was reached."}
          }
        }
      }
    }
  },
  "UserForecasts": {
    "type": "object",
    "properties": {
      "user_id": {"type": "string"},
      "at": {"type": "string", "format": "date-time"},
      "forecasts": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "question": {"type": "string", "description": "return_7d, buy_30d, spend_90d, churn, ..."},
            "horizon_days": {"type": "number"},
            "kind": {"type": "string", "enum": ["probability", "money"]},
            "value": {"type": ["number", "null"], "description": "A probability, or money in major units."},
            "reason": {"type": "string", "description": "Why there is no value."},
            "family": {"type": "string", "description": "Of models that answered: the best on time held out."},
            "quality": {"type": "object", "description": "Of such forecasts on time held out."}
          }
        }
      },
      "survival": {
        "description": "Of the next visit, from the moment of asking.",
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "days": {"type": "number"},
            "probability": {"type": "number", "description": "Of no visit until then."}
          }
        }
      }
    }
  },
  "NextBestActions": {
    "type": "object",
    "properties": {
      "user_id": {"type": "string"},
      "at": {"type": "string", "format": "date-time"},
      "currency": {"type": "string"},
      "ranked": {
        "description": "What nothing stands against, in the order of `actions`; in a slate's place stand its items, which share its gain.",
        "type": "array",
        "items": {
          "type": "object",
          "required": ["type", "action", "channel", "gain", "gain_low", "gain_high", "reason"],
          "properties": {
            "type": {"type": "string", "enum": ["action", "item"]},
            "action": {"type": "string"},
            "channel": {"type": "string"},
            "item": {"$ref": "#/components/schemas/RecommendedItem"},
            "recommendation_id": {"type": "string", "description": "Send it back with what the user does with the item."},
            "gain": {"type": "number"},
            "gain_low": {"type": "number"},
            "gain_high": {"type": "number"},
            "reason": {"type": "string"}
          }
        }
      },
      "actions": {
        "description": "All that are declared, the best first, those that are suppressed behind.",
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "action": {"type": "string"},
            "kind": {"type": "string", "enum": ["message", "offer", "discount", "invite", "slate"]},
            "channel": {"type": "string"},
            "gain": {"type": "number", "description": "Expected, against doing nothing, its cost taken off."},
            "gain_low": {"type": "number"},
            "gain_high": {"type": "number"},
            "gain_after_prices": {"type": "number", "description": "Less what it takes from budgets at their prices."},
            "cost": {"type": "number"},
            "reason": {"type": "string", "description": "The effect on this user's goal, its interval and where it is from."},
            "recommendation_id": {"type": "string", "description": "Of a slate that nothing stands against: the list that was served."},
            "suppressed_by": {"type": ["string", "null"], "description": "What stands against it; null: nothing."}
          }
        }
      }
    }
  },
  "DeadLetters": {
    "type": "object",
    "properties": {
      "dead_letters": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "action_id": {"type": "string"},
            "user_id": {"type": "string"},
            "action": {"type": "string"},
            "channel": {"type": "string"},
            "decided_at": {"type": "string", "format": "date-time"},
            "failed_at": {"type": "string", "format": "date-time"},
            "reason": {"type": "string"}
          }
        }
      }
    }
  },
  "SentAgain": {
    "type": "object",
    "properties": {"action_id": {"type": "string"}, "sent_again": {"type": "boolean"}}
  },
  "Report": {
    "type": "object",
    "properties": {
      "report": {"type": "string"},
      "title": {"type": "string"},
      "explanation": {"type": "string"},
      "at": {"type": "string", "format": "date-time"},
      "currency": {"type": "string", "description": "Of the amounts, when there are some."},
      "rows": {"type": "array", "items": {"type": "object"}},
      "notes": {"type": "array", "items": {"type": "string"}}
    }
  },
  "Stages": {
    "type": "object",
    "properties": {
      "at": {"type": "string", "format": "date-time"},
      "users": {"type": "integer"},
      "stages": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "stage": {"$ref": "#/components/schemas/Stage"},
            "users": {"type": "integer"},
            "at_risk": {"type": "integer"},
            "churned": {"type": "integer"},
            "won_back": {"type": "integer"}
          }
        }
      }
    }
  },
  "User": {
    "type": "object",
    "properties": {
      "user_id": {"type": "string", "description": "The identity that the asked one was merged into."},
      "first_seen": {"type": ["string", "null"], "format": "date-time"},
      "last_seen": {"type": ["string", "null"], "format": "date-time"},
      "traits": {"type": "object"},
      "event_counts": {"type": "object", "additionalProperties": {"type": "integer"}},
      "value": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {"currency": {"type": "string"}, "minor_units": {"type": "integer"}, "text": {"type": "string"}}
        }
      },
      "rejected": {
        "description": "Items that the user spoke against, as with Not Interested. Not recommended to them again before a later event of theirs for the item.",
        "type": "array",
        "items": {"type": "string"}
      },
      "history_size": {"type": "integer", "description": "Events kept in the history, shown or not."},
      "history": {
        "description": "Newest first.",
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "event": {"type": "string"},
            "item_id": {"type": "string"},
            "title": {"type": "string"},
            "time": {"type": ["string", "null"], "format": "date-time"},
            "value": {"type": "number"},
            "device": {"type": "string"}
          }
        }
      }
    }
  }
})json";

}  // namespace perennial
