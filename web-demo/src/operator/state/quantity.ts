/** Quantities as the operator's page writes them: short, and of one width as far as that goes. */
import { milliseconds } from '../../lib/format';

const NONE = '–';
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1,204`; from a hundred thousand on `120K`. */
export function count(value: number | null): string {
  if (value === null) return NONE;
  return Math.abs(value) < 100_000 ? Math.round(value).toLocaleString() : short.format(value);
}

/** `0`, `0.4`, `12`, `1,204`: per second. */
export function rate(value: number | null): string {
  if (value === null) return NONE;
  if (value > 0 && value < 0.05) return '<0.1';
  return value < 10 ? value.toLocaleString(undefined, { maximumFractionDigits: 1 }) : count(value);
}

export function ms(value: number | null): string {
  if (value === null) return NONE;
  if (value > 0 && value < 0.05) return '<0.1 ms';
  if (value < 10_000) return milliseconds(value);
  return value < 60_000 ? `${(value / 1000).toFixed(1)} s` : seconds(value / 1000);
}

export function bytes(value: number | null): string {
  if (value === null) return NONE;
  let [shown, unit] = [value, 0];
  while (shown >= 1024 && unit < UNITS.length - 1) [shown, unit] = [shown / 1024, unit + 1];
  return `${unit === 0 ? Math.round(shown) : shown < 10 ? shown.toFixed(1) : Math.round(shown)} ${UNITS[unit]}`;
}

/** A share from 0 to 1. What is not all is never written as 100 %, and what is not nothing never as 0 %. */
export function share(value: number | null): string {
  if (value === null) return NONE;
  const percent = value * 100;
  if (percent > 99.9 && percent < 100) return '>99.9%';
  if (percent > 0 && percent < 0.1) return '<0.1%';
  return `${Number.isInteger(percent) || percent >= 99.95 ? Math.round(percent) : percent.toFixed(1)}%`;
}

/** Seconds as a person says them: `8 s`, `3 min`, `2 h 5 min`, `3 days`. */
export function seconds(value: number | null): string {
  if (value === null) return NONE;
  if (value < 60) return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}
