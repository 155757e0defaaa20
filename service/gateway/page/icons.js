// Line drawings in a square of 24. In a script, not a file of their own: they must be there when the line is gone.

export const ICONS = {
  book: "M12 6c-2.500-2-6-2.300-9-1.500v13c3-.8 6.500-.5 9 1.500 2.500-2 6-2.300 9-1.500v-13C18 3.700 14.500 4 12 6zM12 6v13",
  shelf: "M4 4h4v16H4zM8 7h4v13H8zM13.500 6.500l3.800-1 3.700 14-3.800 1z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  pencil: "M4 20l1-4.500L16 4.500l3.500 3.500L8.500 19zM14 6.500l3.500 3.500",
  quill: "M20 3C11 4 6 9 5 17l-1 4M5 17c7 0 12-3 15-14M9 13l5-4",
  again: "M4 11a8 8 0 1 1 2 6M4 5v6h6",
  bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.500 11v5.500M13.500 11v5.500",
  pause: "M9 5v14M15 5v14",
  play: "M7 4.500l12 7.500-12 7.500z",
  stop: "M6 6h12v12H6z",
  speak: "M4 9.500v5h4l5 4v-13l-5 4zM16.500 9a4.500 4.500 0 0 1 0 6M19 6.500a8 8 0 0 1 0 11",
  hush: "M4 9.500v5h4l5 4v-13l-5 4zM17 9.500l5 5M22 9.500l-5 5",
  arrow: "M4 12h15M13 6l6 6-6 6",
  back: "M20 12H5M11 6l-6 6 6 6",
  down: "M12 4v15M6 13l6 6 6-6",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.010M4 12h.010M4 18h.010",
};
