/**
 * Contrast of colours, as WCAG 2.2 computes it (relative luminance, sRGB). An accent is chosen for a logo and not for a
 * progress bar: moved towards black or white as far as it takes, it keeps its hue and can be seen.
 */
type Rgb = readonly [number, number, number];

/** Parts of the way to black or white that are tried, the least first. */
const STEPS = 20;

/** The colour nearest to `accent` that has at least `ratio` to 1 against `background`. Both are `#rgb` or `#rrggbb`. */
export function visibleOn(background: string, accent: string, ratio: number): string {
  const given = rgbOf(accent);
  const end: Rgb = luminance(rgbOf(background)) > 0.18 ? [0, 0, 0] : [255, 255, 255];
  for (let step = 0; step < STEPS; step += 1) {
    const tried = hexOf(mixed(given, end, step / STEPS));
    if (contrastOf(background, tried) >= ratio) return tried;
  }
  return hexOf(end);
}

/** From 1 (the same) to 21 (black on white). */
export function contrastOf(one: string, other: string): number {
  const [a, b] = [luminance(rgbOf(one)), luminance(rgbOf(other))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function linear(channel: number): number {
  const part = channel / 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}

const mixed = (from: Rgb, to: Rgb, part: number): Rgb => [
  from[0] + (to[0] - from[0]) * part,
  from[1] + (to[1] - from[1]) * part,
  from[2] + (to[2] - from[2]) * part,
];

function rgbOf(hex: string): Rgb {
  const digits = hex.slice(1);
  const wide = digits.length === 3 ? digits.replace(/./g, '$&$&') : digits;
  const at = (index: number): number => Number.parseInt(wide.slice(index, index + 2), 16);
  return [at(0), at(2), at(4)];
}

const hexOf = (rgb: Rgb): string => `#${rgb.map((channel) => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;
