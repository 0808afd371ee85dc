import { Button, Switch, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import type { LedgerEntry } from '../plan/operations';
import { money } from '../plan/words';
import { FormDialog } from '../ui/FormDialog';
import { minor } from './minor';
import { REFUND } from './operations';

/** Gives a payment back, or a part of it; nothing for entries that are no payments. */
export function Refund({ entry, onDone }: { entry: LedgerEntry; onDone: () => void }) {
  const [open, setOpen] = useState(false);
  if (entry.kind !== 'PAYMENT' || entry.amount.amountMinor === 0) return null;
  const done = () => {
    setOpen(false);
    onDone();
  };
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={() => setOpen(true)}>
        Give back
      </Button>
      {open && <RefundDialog entry={entry} onClose={() => setOpen(false)} onDone={done} />}
    </>
  );
}

function RefundDialog({ entry, onClose, onDone }: { entry: LedgerEntry; onClose: () => void; onDone: () => void }) {
  const { run, busy, failure } = useAct(REFUND);
  const [amount, setAmount] = useState('');
  const [keep, setKeep] = useState(false);
  const [reason, setReason] = useState('');
  const { currency, amountMinor } = entry.amount;
  const left = failure?.details['left'];
  const wanted = minor(amount, currency);
  const send = async () => {
    if (wanted === undefined) return;
    if (await run({ input: { payment: entry.id, amountMinor: wanted, keep, reason } })) onDone();
  };
  return (
    <FormDialog
      title={`Give back a payment of ${money({ currency, amountMinor: Math.abs(amountMinor) })}`}
      submit="Give back"
      busy={busy}
      failure={failure}
      onSubmit={() => void send()}
      onClose={onClose}
      data-testid="refund"
    >
      {typeof left === 'number' && <Text size="sm">{money({ currency, amountMinor: left })} of it is left.</Text>}
      <TextInput
        label={`How much, in ${currency}`}
        description="Leave it empty for all that is left"
        name="amount"
        inputMode="decimal"
        error={wanted === undefined && 'This is no amount.'}
        value={amount}
        onChange={(e) => setAmount(e.currentTarget.value)}
        data-autofocus
      />
      <Switch
        label="The person keeps what it was for"
        description="Else giving back everything ends it now"
        checked={keep}
        onChange={(e) => setKeep(e.currentTarget.checked)}
      />
      <TextInput
        label="Reason"
        name="reason"
        required
        withAsterisk={false}
        maxLength={500}
        value={reason}
        onChange={(e) => setReason(e.currentTarget.value)}
      />
    </FormDialog>
  );
}
