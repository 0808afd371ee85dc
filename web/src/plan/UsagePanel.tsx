import { SimpleGrid } from '@mantine/core';

import { date } from '../format/time';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { Row, Rows } from '../ui/Rows';
import type { Entitlement } from './fragments';
import { isCounted } from './usage';
import { UsageBar, Why } from './UsageBar';
import { featureName, type Features, hasWords, sourceWords } from './words';

interface Props {
  entitlements: Entitlement[];
  features: Features;
}

/** How much is used of what is counted. */
export function UsagePanel({ entitlements, features }: Props) {
  const counted = entitlements.filter(isCounted);
  return (
    <Panel title="Usage" hint="Live: it moves with each use" data-testid="panel-usage">
      {counted.length === 0 && <Empty title="Nothing is counted on this plan" />}
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="lg">
        {counted.map((e) => (
          <UsageBar key={e.feature} entitlement={e} features={features} />
        ))}
      </SimpleGrid>
    </Panel>
  );
}

/** What a plan sets without counting. */
export function FeaturesPanel({ entitlements, features }: Props) {
  const set = entitlements.filter((e) => !isCounted(e));
  return (
    <Panel title="What else is set" data-testid="panel-features">
      {set.length === 0 && <Empty title="Nothing else is set" />}
      <Rows label="What else is set">
        {set.map((e) => {
          const feature = features.get(e.feature);
          const name = featureName(features, e.feature);
          return (
            <Row
              key={e.feature}
              title={`${name}: ${hasWords(e, feature?.unit)}`}
              detail={
                <Why of={name} steps={e.why}>
                  {[feature?.description.replace(/\.$/, ''), sourceWords(e, date)].filter(Boolean).join(' · ')}
                </Why>
              }
              data-testid={`has-${e.feature}`}
            />
          );
        })}
      </Rows>
    </Panel>
  );
}
