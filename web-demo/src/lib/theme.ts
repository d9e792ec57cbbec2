/** Light or dark: the system's choice until the reader makes one, which is then remembered. */
import { computed, ref } from 'vue';

type Theme = 'light' | 'dark';
const KEY = 'stoa-theme';

const system = window.matchMedia('(prefers-color-scheme: dark)');
const systemTheme = ref<Theme>(system.matches ? 'dark' : 'light');
system.addEventListener('change', () => (systemTheme.value = system.matches ? 'dark' : 'light'));

function remembered(): Theme | null {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : null;
  } catch {
    // Storage may be forbidden; the page then just follows the system.
    return null;
  }
}

const chosen = ref<Theme | null>(remembered());

export const theme = computed<Theme>(() => chosen.value ?? systemTheme.value);

export function applyTheme(): void {
  if (chosen.value) document.documentElement.dataset.theme = chosen.value;
  else delete document.documentElement.dataset.theme;
}

export function toggleTheme(): void {
  chosen.value = theme.value === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(KEY, chosen.value);
  } catch {
    // As above: the choice then lasts as long as the page.
  }
  applyTheme();
}
