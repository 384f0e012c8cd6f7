/** How a person stands in the subject of a certificate, so that an approval names its person and unit offline as well. */
import { nameValues, type Name, type NameAttribute } from '../x509/name.ts';
import type { Person } from './person.ts';

/** The attributes of the subject: country, organisation, unit, region code, name, person id. For `encodeName`. */
export function personSubject(
  person: Pick<Person, 'id' | 'name' | 'unit' | 'organisation' | 'region'>,
): NameAttribute[] {
  return [
    { type: 'C', value: 'CN' },
    { type: 'O', value: person.organisation },
    { type: 'OU', value: person.unit },
    ...(person.region === undefined ? [] : [{ type: 'ST' as const, value: person.region }]),
    { type: 'CN', value: person.name },
    { type: 'serialNumber', value: person.id },
  ];
}

/** The person that a subject names, or undefined when it is not in the form of `personSubject`. */
export function subjectPerson(
  subject: Name,
): Pick<Person, 'id' | 'name' | 'unit' | 'organisation' | 'region'> | undefined {
  const one = (type: NameAttribute['type']): string | undefined => {
    const values = nameValues(subject, type);
    return values.length === 1 ? values[0] : undefined;
  };
  const id = one('serialNumber');
  const name = one('CN');
  const unit = one('OU');
  const organisation = one('O');
  const region = one('ST');
  if (id === undefined || name === undefined || unit === undefined || organisation === undefined) return undefined;
  return { id, name, unit, organisation, ...(region === undefined ? {} : { region }) };
}
