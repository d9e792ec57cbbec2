/** The width of a text on the stage, measured once for each text. */
import { ref } from 'vue';

/** Changes once the page's own letters are there: what was measured before was measured with others. */
export const lettering = ref(0);

const widths = new Map<string, number>();
const context = document.createElement('canvas').getContext('2d');
const MOST = 5000;

void document.fonts?.ready.then(() => {
  widths.clear();
  lettering.value += 1;
});

export function measure(text: string, size: number, weight: number): number {
  const name = `${size} ${weight} ${text}`;
  const known = widths.get(name);
  if (known !== undefined) return known;
  if (widths.size > MOST) widths.clear();
  let width = text.length * size * 0.58;
  if (context) {
    context.font = `${weight} ${size}px "Inter Variable", system-ui, sans-serif`;
    width = context.measureText(text).width + 1;
  }
  widths.set(name, width);
  return width;
}
