import { expect, it } from 'vitest';
import { hashOf, said } from './address';
import { keyOf } from './keys';

it('the address says what is chosen and open, and is read as it was written', () => {
  for (const here of [
    { project: '', run: '', opened: null },
    { project: 'p&q=#', run: keyOf('p&q=#', 'run 1'), opened: { kind: 'agent' as const, id: 'Ada Lovelace', projectId: 'p&q=#' } },
    { project: '', run: keyOf('other', 'r'), opened: { kind: 'event' as const, id: 'e1', projectId: '', cursor: '1a.2' } },
    { project: 'p', run: 'of-none', opened: { kind: 'question' as const, id: 'q', projectId: 'p' } },
    { project: '', run: '', opened: { kind: 'artifacts' as const, id: '', projectId: '' } },
  ]) expect(said(hashOf(here))).toEqual(here);
});

it('what it does not know opens nothing', () => {
  expect(said('#open=everything&id=1')).toEqual({ project: '', run: '', opened: null });
});
