// What the page says. A parent reads it, with a child on the lap.

const STEPS = {
  workflow: "Opening the book",
  generate_content: "Telling the story",
  safety_check: "Reading it through once more",
  enhance_content: "Finding better words",
  calculate_metrics: "Turning the last page",
};

export function stepWords(node) {
  return STEPS[node] ?? "Opening the book";
}

const AGAIN = "Try again";
const ELSE = "Choose something else";

const BUSY = {
  title: "Many stories are being told just now",
  text: "The storyteller has no hand free. Please wait a minute and try again.",
  again: AGAIN,
};
const AWAY = {
  title: "The storyteller is not there",
  text: "The language model behind these stories does not answer. It may still be starting up. If this goes on, the person who looks after this device should see whether it is running.",
  again: AGAIN,
};
const MUDDLED = {
  title: "The story came out muddled",
  text: "The storyteller lost the thread. A second try nearly always helps.",
  again: "Tell it again",
};
const RESTING = {
  title: "The storyteller needs a moment",
  text: "It is just starting up or closing down. Please try again in a minute.",
  again: AGAIN,
};
const GONE = { title: "This story is not here any more", text: "It may have been put away for good.", again: null };

const TROUBLES = {
  NO_CONNECTION: {
    title: "We can't reach the storyteller",
    text: "Please look whether this device is online. Nothing is lost.",
    again: AGAIN,
  },
  INPUT_UNFIT: {
    title: "Let us find other words",
    text: "This does not suit a story for this age. Could you say it differently?",
    again: null,
  },
  VALIDATION_FAILED: {
    title: "That did not quite fit",
    text: "Something was too long, or had signs in it that a story can't hold. Please say it more shortly.",
    again: null,
  },
  CONTENT_REJECTED: {
    title: "This story did not turn out well",
    text: "It did not pass our check for children, so we have put it away. Another try, or another idea, often goes better.",
    again: "Try once more",
  },
  REVIEW_UNAVAILABLE: {
    title: "We could not check the story",
    text: "What has not been checked is not shown to a child. Please try again in a little while.",
    again: AGAIN,
  },
  RUN_CANCELLED: { title: "We stopped here", text: "The story waits for another time.", again: "Tell it again" },
  RUN_INTERRUPTED: {
    title: "The story broke off",
    text: "The storyteller had to stop in the middle. It can begin this part again.",
    again: "Tell it again",
  },
  RUN_DEADLINE_EXCEEDED: {
    title: "That took too long",
    text: "The storyteller was too slow this time. Please try once more.",
    again: AGAIN,
  },
  RUN_NOT_FOUND: {
    title: "We lost the thread of this story",
    text: "It was under way too long ago. It can be told again from here.",
    again: "Tell it again",
  },
  CHILD_NOT_FOUND: {
    title: "We do not know this reader any more",
    text: "Please choose who is reading, or add the reader again.",
    again: null,
  },
  STORY_ENDED: { title: "This tale is at its end", text: "There is no further chapter. How about a new story?", again: null },
  MODEL_NOT_FOUND: AWAY, MODEL_UNAVAILABLE: AWAY, MODEL_TIMEOUT: AWAY,
  MODEL_OUTPUT_INVALID: MUDDLED, MODEL_OUTPUT_TRUNCATED: MUDDLED,
  TOO_MANY_STREAMS: BUSY, TOO_MANY_RUNS: BUSY, RATE_LIMITED: BUSY,
  SHUTTING_DOWN: RESTING, STORE_UNAVAILABLE: RESTING, IDENTITY_UNAVAILABLE: RESTING,
  STORY_NOT_FOUND: GONE, CHAPTER_NOT_FOUND: GONE, NOT_FOUND: GONE,
  UNAUTHENTICATED: {
    title: "This page may not open the stories",
    text: "The storyteller asks for a key that this page does not have. The person who set it up can give you one.",
    again: AGAIN,
  },
  PERMISSION_DENIED: {
    title: "This key does not open this",
    text: "The key of this page is meant for other things. The person who set the storyteller up can give you one that fits.",
    again: AGAIN,
  },
  TOKEN_EXPIRED: {
    title: "The key of this page is too old",
    text: "Keys hold for a while only. The person who set the storyteller up can give you a new one.",
    again: AGAIN,
  },
};

const UNKNOWN = { title: "Something went wrong", text: "It is not your fault. Please try again.", again: AGAIN };

/** Title, text, words for a retry (null: it would not help) and words for the way out. */
export function troubleWords(reason) {
  return { other: ELSE, ...(TROUBLES[reason] ?? UNKNOWN) };
}

const FIELDS = {
  nickname: "the name",
  interests: "what the reader likes",
  avoid_topics: "what to leave out",
  theme: "the idea for the story",
  custom_user_input: "your own words",
  title: "the title",
};

/** "the name and what the reader likes", or "" when no field that a parent knows is among them. */
export function fieldWords(fields) {
  const known = fields.map((each) => FIELDS[each.split(/[.[]/)[0]]).filter(Boolean);
  return [...new Set(known)].join(" and ");
}

export function greeting(hour, name) {
  const time = hour < 5 || hour >= 18 ? "Good evening" : hour < 12 ? "Good morning" : "Hello";
  return `${time}, ${name}`;
}

export function dayWords(timestamp, language = "en-GB") {
  const day = new Date(timestamp);
  return Number.isNaN(day.getTime()) ? "" : day.toLocaleDateString(language, { day: "numeric", month: "long" });
}
