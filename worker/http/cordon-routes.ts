import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Cordon } from '../cordon.ts';
import type { Testimony } from '../testimony.ts';
import type { TokenFile } from '../token-file.ts';
import { json } from './server.ts';
import type { Reply, RouteHandler, Routes } from './server.ts';

type Sources = Readonly<{
  tokens: TokenFile;
  cordon: Cordon;
  testimony: () => Testimony;
  onRefused: (because: string) => void;
}>;

/** The API server's pod proxy drops `Authorization`. Node gives header names in lower case. */
const TOKEN_HEADER = 'x-agentpool-token';

const MAX_BODY_BYTES = 1_024;

const SECONDS_FAULT = 'seconds must be a number from 1 to 3600';
const cordonRequest = z.object(
  { seconds: z.number({ error: SECONDS_FAULT }).min(1, { error: SECONDS_FAULT }).max(3_600, { error: SECONDS_FAULT }) },
  { error: 'the body must be JSON such as {"seconds": 60}' },
);

/** Taking a replica out of work and putting it back: for the operator alone, which shows it by a token. */
export const createCordonRoutes = ({ tokens, cordon, testimony, onRefused }: Sources): Routes => {
  const allowed =
    (handle: RouteHandler): RouteHandler =>
    async (request) => {
      const given = request.headers[TOKEN_HEADER];
      const check = await tokens.check(typeof given === 'string' ? given : undefined);
      switch (check) {
        case 'right':
          return handle(request);
        case 'wrong':
          onRefused('the token is missing or wrong');
          return json(401, { error: `the header ${TOKEN_HEADER} is missing or not the token of this pool` });
        case 'unavailable':
          onRefused('the token file cannot be read or has no token');
          return json(503, { error: 'this worker has no token to compare with; its log says why' });
      }
    };
  return {
    '/cordon': {
      POST: allowed(async (request) => {
        const body = await readBody(request);
        if (body === undefined) return json(413, { error: `the body must have at most ${MAX_BODY_BYTES} bytes` });
        const parsed = cordonRequest.safeParse(parseJson(body));
        if (!parsed.success) return badRequest(parsed.error);
        await cordon.cordon(parsed.data.seconds);
        return json(200, testimony());
      }),
    },
    '/uncordon': {
      POST: allowed(async () => {
        await cordon.uncordon();
        const state = testimony();
        return state.stopping
          ? json(409, { error: 'this worker is stopping: it takes no job any more' })
          : json(200, state);
      }),
    },
  };
};

const badRequest = (error: z.ZodError): Reply =>
  json(400, { error: error.issues.map(({ message }) => message).join('; ') });

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The whole body, or undefined when it is too long; what comes beyond that is not read. */
const readBody = async (request: IncomingMessage): Promise<string | undefined> => {
  const pieces: Buffer[] = [];
  let bytes = 0;
  // Ending the loop early must not destroy the request: its answer would go with it.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
};
