// The pictures to choose from. `words` find a picture for what somebody wrote, and for the books on the shelf.

export const THEMES = [
  { file: "fox", name: "A shy fox", theme: "a fox who fears the dark", words: ["fox"] },
  { file: "moon", name: "The moon", theme: "a visit to the moon", words: ["moon", "night", "sleep", "dream"] },
  { file: "boat", name: "A small boat", theme: "a small boat and the wide sea", words: ["boat", "ship", "sail", "sea", "pirate"] },
  { file: "dragon", name: "A kind dragon", theme: "a little dragon who wants a friend", words: ["dragon", "knight", "castle"] },
  { file: "garden", name: "A secret garden", theme: "a secret garden behind a wall", words: ["garden", "flower", "bee", "seed"] },
  { file: "robot", name: "A curious robot", theme: "a robot who learns to laugh", words: ["robot", "machine", "computer"] },
  { file: "whale", name: "A singing whale", theme: "a whale who sings to the stars", words: ["whale", "fish", "ocean", "dolphin"] },
  { file: "lighthouse", name: "The lighthouse", theme: "the keeper of a lighthouse", words: ["lighthouse", "light", "storm"] },
  { file: "owl", name: "A wise owl", theme: "an owl who lost her glasses", words: ["owl", "bird", "feather"] },
  { file: "bear", name: "A sleepy bear", theme: "a bear who can't fall asleep", words: ["bear", "forest", "honey"] },
  { file: "star", name: "A fallen star", theme: "a star that fell into the meadow", words: ["star", "wish"] },
  { file: "train", name: "The night train", theme: "a train that travels through the night", words: ["train", "journey", "travel"] },
  { file: "dinosaur", name: "A dinosaur", theme: "a dinosaur who loves to dance", words: ["dinosaur", "dino"] },
  { file: "rocket", name: "A rocket", theme: "a rocket to a friendly planet", words: ["rocket", "space", "planet", "astronaut"] },
  { file: "treehouse", name: "The tree house", theme: "a house high up in a tree", words: ["tree", "house"] },
  { file: "kitten", name: "A lost kitten", theme: "a kitten who lost her way home", words: ["kitten", "cat", "wool"] },
  { file: "penguin", name: "A brave penguin", theme: "a penguin who has never seen snow melt", words: ["penguin", "snow", "ice", "winter"] },
];

/** The picture's file for a theme; a closed book when none fits. */
export function pictureFor(theme = "") {
  const text = theme.toLowerCase();
  const exact = THEMES.find((each) => each.theme === text);
  const words = text.split(/[^\p{L}]+/u).map((word) => word.replace(/s$/, ""));
  // What comes first is what the story is about: a boat in the night is a boat.
  const first = words.map((word) => THEMES.find((each) => each.words.includes(word))).find(Boolean);
  return (exact ?? first)?.file ?? "book";
}

const FACES = ["fox", "bear", "owl", "rabbit", "cat", "penguin"];

/** A face for a reader: always the same one for the same reader. */
export function faceFor(childId = "") {
  let sum = 0;
  for (const letter of childId) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return `face-${FACES[sum % FACES.length]}`;
}
