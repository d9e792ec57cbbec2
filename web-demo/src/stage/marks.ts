/**
 * The mark that an animation leaves on its node: the class `anim-<name>` for as long as it plays and a count of how
 * often the node was animated. With reduced motion the mark is all there is.
 */
import { ref, type Ref } from 'vue';
import type { Animation } from '../state/types';

export interface Mark {
  name: Ref<Animation>;
  count: Ref<number>;
  set(name: Animation, durationMs: number): void;
}

export function useMark(): Mark {
  const name = ref<Animation>('none');
  const count = ref(0);
  let timer = 0;
  return {
    name,
    count,
    set(next, durationMs) {
      name.value = next;
      count.value += 1;
      clearTimeout(timer);
      timer = window.setTimeout(() => (name.value = 'none'), durationMs + 100);
    },
  };
}
