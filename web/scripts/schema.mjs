// Writes src/gql/schema.d.ts from the server's schema, so that the compiler checks every operation of the console against it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal';
import { buildSchema, introspectionFromSchema } from 'graphql';

const folder = new URL('../../schema/', import.meta.url);
const sdl = readdirSync(folder)
  .filter((name) => name.endsWith('.graphqls'))
  .toSorted()
  .map((name) => readFileSync(new URL(name, folder), 'utf8'))
  .join('\n');

const introspection = minifyIntrospection(introspectionFromSchema(buildSchema(sdl), { descriptions: false }));
writeFileSync(
  new URL('../src/gql/schema.d.ts', import.meta.url),
  outputIntrospectionFile(introspection, { fileType: '.d.ts', shouldPreprocess: true }),
);
