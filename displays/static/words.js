// Words of the page's own language.

export const ENGLISH = document.documentElement.lang === "en";

/** The name of an item, window or hall in the page's language. */
export const named = (thing, key = "name") =>
  ENGLISH ? thing[`${key}_en`] : thing[key];

/** A sentence of the page (its data-say-…) with its gaps filled in. */
export const say = (sentence, gaps) =>
  sentence.replace(/{(\w+)}/g, (_, gap) => String(gaps[gap]));
