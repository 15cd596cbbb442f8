import { describe, expect, test } from 'vitest';
import { Desk, WHISPER } from './stall-desk.ts';

const HALF = 'We open at nine in the';

describe('an utterance that is not answered', () => {
  test('is dead air after 1.5 s, unanswered after 3 s, and the model is nudged after 4 s', () => {
    const desk = new Desk().greeted().caller().wait(7_000);
    // All counted from 0.8 s after the last sound, when the model can know that the caller has finished.
    expect(desk.steps).toEqual(['late-answer filler 2.3', 'unanswered wait 3.8', 'unanswered nudge 4.8']);
  });

  test('not when the model answers as fast as models do', () => {
    for (const afterMs of [200, 900, 1_800]) {
      const desk = new Desk().greeted().caller().wait(afterMs).says('At nine.', 1_000).wait(5_000);
      expect(desk.log).toEqual([]);
    }
  });

  test('not when the model knew earlier than the tracker that the caller had finished', () => {
    const desk = new Desk().greeted();
    desk.doctor.utteranceStarted();
    desk.wait(1_000).mark().wait(200).audio(100).wait(200);
    desk.doctor.utteranceEnded({ durationMs: 1_000, lastSpeechAtMs: desk.markMs }, desk.nowMs);
    expect(desk.generated().complete().wait(20_000).log).toEqual([]);
  });

  test('not when it was a cough', () => {
    expect(new Desk().greeted().caller(280).wait(20_000).log).toEqual([]);
  });

  test('not when it was a word into the words of the bot, which went on', () => {
    const desk = new Desk().greeted().audio(6_000).generated().wait(500).caller(600);
    expect(desk.wait(5_000).complete().wait(20_000).log).toEqual([]);
  });

  test('but it is when that word stopped the bot', () => {
    const desk = new Desk().greeted().audio(6_000).generated().wait(500).caller(200).interrupted().complete();
    expect(desk.wait(6_000).taken('unanswered')).toEqual(['wait', 'nudge']);
  });

  test('not while the caller has not finished, however slowly they talk', () => {
    const desk = new Desk().greeted();
    for (let i = 0; i < 20; i++) desk.caller(1_500).wait(1_000);
    expect(desk.log).toEqual([]);
    expect(desk.doctor.ignored).toBe(0);
  });

  test('not when the model says that it waits for more', () => {
    const desk = new Desk().greeted().caller().wait(600);
    desk.doctor.waitingForInput();
    expect(desk.wait(30_000).log).toEqual([]);
    expect(desk.doctor.ignored).toBe(0);
  });

  test('a tool at work is an answer on its way: the air is filled, and nobody is blamed', () => {
    const desk = new Desk().greeted().caller().wait(200);
    desk.doctor.toolsOpen(1, desk.nowMs);
    desk.wait(12_000);
    expect(desk.signs).toEqual(['late-answer']);
    desk.doctor.toolsOpen(0, desk.nowMs);
    desk.doctor.toolAnswered(desk.nowMs);
    desk.mark().wait(4_500);
    expect(desk.taken('unanswered')).toEqual(['wait', 'nudge']);
  });

  test('a tool that was called without a word needs no words afterwards', () => {
    const desk = new Desk().greeted().caller().wait(900).says('Noted.', 700);
    desk.doctor.toolsOpen(1, desk.nowMs);
    desk.wait(200);
    desk.doctor.toolsOpen(0, desk.nowMs);
    expect(desk.complete().wait(30_000).log).toEqual([]);
  });

  test('not while words of the answer come; when they come without a sound, that is a silent turn', () => {
    const desk = new Desk().greeted().caller();
    for (let i = 0; i < 9; i++) desk.wait(1_000).text(' word');
    expect(desk.signs).toEqual(['late-answer', 'silent-turn']);
    expect(desk.steps.filter((step) => !step.includes('filler'))).toEqual([
      'silent-turn wait 8.8',
      'silent-turn rotate 8.8',
    ]);
  });

  test('an answer is not missed before what is playing has been heard', () => {
    const desk = new Desk().greeted().audio(9_000).generated();
    desk.doctor.textSent(true, desk.nowMs);
    desk.wait(9_000).complete().mark().wait(4_500);
    expect(desk.steps).toEqual(['late-answer filler 1.5', 'unanswered wait 3.0', 'unanswered nudge 4.0']);
  });

  test('keys are an utterance too', () => {
    const desk = new Desk().greeted();
    desk.doctor.textSent(true, desk.nowMs);
    expect(desk.wait(6_000).taken('unanswered')).toEqual(['wait', 'nudge']);
  });

  test('a note to the model is none', () => {
    const desk = new Desk().greeted();
    desk.doctor.textSent(false, desk.nowMs);
    expect(desk.wait(30_000).log).toEqual([]);
  });
});

describe('a turn that was completed', () => {
  test('with nothing in it is an empty turn', () => {
    const desk = new Desk().greeted().caller().wait(600).complete().wait(2_500);
    expect(desk.steps).toEqual(['empty-turn wait 1.3', 'empty-turn nudge 2.3', 'empty-turn filler 2.3']);
  });

  test('with nothing in it is none when nobody had asked anything', () => {
    expect(new Desk().greeted().complete().wait(20_000).log).toEqual([]);
  });

  test('with nothing in it is none when it ends the turn that the caller interrupted', () => {
    const desk = new Desk().greeted().audio(6_000).wait(500);
    desk.doctor.utteranceStarted();
    desk.wait(300).interrupted().wait(200).mark().wait(300);
    desk.doctor.utteranceEnded({ durationMs: 500, lastSpeechAtMs: desk.markMs }, desk.nowMs);
    desk.complete().wait(900).says('Yes?', 500).wait(5_000);
    expect(desk.log).toEqual([]);
  });

  test('with nothing in it is none when more turns follow', () => {
    const desk = new Desk().greeted().caller().wait(500).complete(null, true).wait(800);
    expect(desk.says('We open at nine.').wait(3_000).log).toEqual([]);
  });

  test('with nothing in it is none when a tool was called', () => {
    const desk = new Desk().greeted().caller().wait(500);
    desk.doctor.toolsOpen(1, desk.nowMs);
    desk.complete();
    desk.doctor.toolsOpen(0, desk.nowMs);
    expect(desk.wait(1_200).says('It is done.').wait(3_000).log).toEqual([]);
  });

  test('with nothing in it is none when it was over before the caller had finished', () => {
    const desk = new Desk().greeted();
    desk.doctor.utteranceStarted();
    desk.wait(500).complete().wait(500).mark().wait(400);
    desk.doctor.utteranceEnded({ durationMs: 1_000, lastSpeechAtMs: desk.markMs }, desk.nowMs);
    expect(desk.wait(1_000).says('At nine.').wait(9_000).log).toEqual([]);
  });

  test('with words and no sound is a silent turn', () => {
    const desk = new Desk().greeted().caller().wait(600).text('We open at nine.').wait(200).complete();
    expect(desk.wait(2_000).taken('silent-turn')).toEqual(['wait', 'nudge', 'filler']);
  });

  test('with a reason and no sound is one too', () => {
    const desk = new Desk().greeted().caller().wait(600).complete('RESPONSE_REJECTED').wait(2_000);
    expect(desk.taken('silent-turn')[0]).toBe('wait');
  });

  test('is no silent turn when the reason is that it wants to hear more', () => {
    const desk = new Desk().greeted().caller().wait(600).complete('NEED_MORE_INPUT').wait(1_600);
    expect(desk.signs).not.toContain('silent-turn');
  });

  test('is no silent turn when its audio was not wanted: a greeting too many', () => {
    const desk = new Desk().greeted().text('Hello, and welcome.');
    desk.doctor.modelAudioDropped(desk.nowMs);
    expect(desk.generated().wait(200).complete().wait(20_000).log).toEqual([]);
  });

  test('is no silent turn when its words trail a turn that was heard', () => {
    const desk = new Desk().greeted().caller().wait(800).audio(900).generated().wait(950).complete();
    expect(desk.wait(400).text('At nine.').wait(20_000).log).toEqual([]);
  });

  test('is none when the words belong to the turn that was interrupted', () => {
    const desk = new Desk().greeted().audio(4_000).wait(300);
    desk.doctor.utteranceStarted();
    desk.wait(300).interrupted().text('and so on.').complete().wait(300).mark().wait(400);
    desk.doctor.utteranceEnded({ durationMs: 600, lastSpeechAtMs: desk.markMs }, desk.nowMs);
    expect(desk.wait(800).says('Yes?', 500).wait(20_000).log).toEqual([]);
  });

  test('whose sound nobody can hear is near-silent, also while playout is busy with it', () => {
    const desk = new Desk().greeted().caller().wait(800);
    for (let i = 0; i < 10; i++) desk.audio(500, WHISPER);
    desk.generated().wait(1_600);
    expect(desk.unplayedMs).toBeGreaterThan(2_000);
    expect(desk.taken('near-silent-audio').slice(0, 2)).toEqual(['wait', 'nudge']);
    // It is completed when all of it is assumed to have been played: the same turn, and no second finding.
    desk.wait(3_400).complete().wait(2_000);
    expect(desk.taken('near-silent-audio').filter((step) => step === 'wait')).toHaveLength(1);
    expect(desk.signs).toEqual(['near-silent-audio']);
  });

  test('is not near-silent when it only begins so', () => {
    const desk = new Desk().greeted().caller().wait(700).text('At nine.').audio(400, WHISPER).wait(100);
    desk.audio(900).generated().wait(1_300).complete();
    expect(desk.wait(20_000).log).toEqual([]);
  });

  test('in the middle of a sentence is cut', () => {
    const desk = new Desk().greeted().caller().wait(800).says(HALF, 1_200).mark().wait(8_000);
    expect(desk.steps.slice(0, 3)).toEqual([
      'cut-sentence wait 1.0',
      'cut-sentence nudge 1.5',
      'cut-sentence filler 1.5',
    ]);
  });

  test('in the middle of a sentence is cut also when its end is said twice', () => {
    const desk = new Desk().greeted().caller().wait(800).says(HALF, 1_200).wait(300).complete().wait(2_000);
    expect(desk.signs).toEqual(['cut-sentence']);
  });

  test('in the middle of a sentence is not judged before it was heard to its end', () => {
    const desk = new Desk().greeted().caller().wait(800).text(HALF).audio(4_000).generated().complete();
    expect(desk.wait(3_900).log).toEqual([]);
    expect(desk.wait(300).signs).toEqual(['cut-sentence']);
  });

  test.each([
    'We are open.',
    'Is that all?',
    'お電話ありがとうございます。',
    'धन्यवाद।',
    'She said "no."',
    '*Sure!*',
  ])('is not cut when it ends like this: %s', (text) => {
    expect(new Desk().greeted().caller().wait(800).says(text).wait(20_000).log).toEqual([]);
  });

  test('is not cut when the rest of its words comes late', () => {
    const desk = new Desk().greeted().caller().wait(800).says(HALF).wait(600).text(' morning.');
    expect(desk.wait(20_000).log).toEqual([]);
  });

  test('is not cut when this model never ends a sentence with a mark', () => {
    const desk = new Desk().says('hello and welcome').wait(500).caller().wait(800).says('at nine');
    expect(desk.wait(20_000).log).toEqual([]);
  });

  test('is not cut when the caller interrupted it', () => {
    const desk = new Desk().greeted().text(HALF).audio(3_000).wait(400);
    desk.doctor.utteranceStarted();
    desk.wait(300).interrupted().complete().wait(200).mark().wait(400);
    desk.doctor.utteranceEnded({ durationMs: 500, lastSpeechAtMs: desk.markMs }, desk.nowMs);
    expect(desk.wait(800).says('Yes?', 500).wait(20_000).log).toEqual([]);
  });

  test('is not cut when the caller takes the word: then an answer is due', () => {
    const desk = new Desk().greeted().says(HALF).wait(500).caller().wait(900).says('At nine.');
    expect(desk.wait(20_000).log).toEqual([]);
  });

  test('is not cut when it ends in the call of a tool', () => {
    const desk = new Desk().greeted().caller().wait(800).text('One moment, I look for').audio(900);
    desk.doctor.toolsOpen(1, desk.nowMs);
    desk.doctor.toolsOpen(0, desk.nowMs);
    desk.generated().wait(950).complete().wait(2_000);
    expect(desk.says('Here it is.').wait(20_000).log).toEqual([]);
  });
});

describe('a turn that stops', () => {
  const frozen = () => new Desk().greeted().caller().wait(800).text(HALF).audio(600).wait(600).mark();

  test('in the middle, with nothing left to play, is frozen: dead air is filled, and no text interrupts it', () => {
    const desk = frozen().wait(10_000);
    expect(desk.steps).toEqual([
      'freeze wait 1.5',
      'freeze filler 1.5',
      'freeze filler 7.5',
      'freeze rotate 8.0',
    ]);
  });

  test('is over with the burst that follows', () => {
    const desk = frozen().wait(6_000);
    desk.text(' morning.').audio(4_000).generated().wait(5_500).complete().wait(20_000);
    expect(desk.signs).toEqual(['freeze']);
    expect(desk.taken('freeze')).toEqual(['wait', 'filler']);
    expect(desk.doctor.sign).toBeNull();
  });

  test('is not frozen while playout has enough of it', () => {
    const desk = new Desk().greeted().caller().wait(800).text(HALF).audio(9_000).wait(8_900);
    expect(desk.text(' morning.').audio(500).generated().wait(700).complete().wait(9_000).log).toEqual([]);
  });

  test('is not frozen when it comes slower than it plays', () => {
    const desk = new Desk().greeted().caller().wait(800).text('We open at nine in the morning.');
    for (let i = 0; i < 20; i++) desk.audio(300).wait(1_400);
    expect(desk.generated().complete().wait(20_000).log).toEqual([]);
  });

  test('is not frozen while it waits for a tool', () => {
    const desk = frozen();
    desk.doctor.toolsOpen(1, desk.nowMs);
    desk.wait(6_000);
    desk.doctor.toolsOpen(0, desk.nowMs);
    expect(desk.wait(1_000).says('It is nine.').wait(20_000).log).toEqual([]);
  });

  test('after a new connection it is told to go on, as nothing else would make it speak', () => {
    const desk = frozen().wait(8_100);
    desk.doctor.sessionReady({ resumed: true }, desk.nowMs);
    desk.mark().wait(4_000);
    expect(desk.steps.at(-1)).toBe('freeze nudge 2.5');
  });

  test('with all its words, and never says that it is over: that is noted, and nothing is done', () => {
    const desk = new Desk().greeted().caller().wait(800).text('At nine.').audio(900).generated();
    expect(desk.wait(900).mark().wait(60_000).steps).toEqual(['no-turn-complete wait 5.0']);
  });

  test('nothing is noted when the end of the turn is merely late', () => {
    const desk = new Desk().greeted().caller().wait(800).text('At nine.').audio(900).generated();
    expect(desk.wait(4_800).complete().wait(20_000).log).toEqual([]);
  });

  test('words that have run ahead of their sound do not make it whole', () => {
    const desk = new Desk().greeted().caller().wait(800);
    desk.text('We open at nine in the morning, and on Sundays at ten, unless it rains.').audio(500);
    expect(desk.wait(500).wait(2_000).signs).toEqual(['freeze']);
  });
});

describe('an interruption', () => {
  const speaking = () => new Desk().greeted().caller().wait(800).text(HALF).audio(4_000).wait(600);

  test('that nobody caused is a phantom: the model is told to go on', () => {
    const desk = speaking().interrupted().mark().complete().wait(6_000);
    expect(desk.steps.slice(0, 2)).toEqual(['phantom-interrupted wait 1.0', 'phantom-interrupted nudge 1.5']);
    expect(desk.log.map(({ action }) => action.step)).not.toContain('rotate');
  });

  test('is none when the caller speaks', () => {
    const desk = speaking();
    desk.doctor.utteranceStarted();
    desk.wait(200).interrupted().complete().wait(400).mark().wait(400);
    desk.doctor.utteranceEnded({ durationMs: 600, lastSpeechAtMs: desk.markMs }, desk.nowMs);
    expect(desk.wait(900).says('Yes?', 500).wait(9_000).log).toEqual([]);
  });

  test('is none when the model heard what the tracker did not', () => {
    const desk = speaking().interrupted().complete().wait(400);
    desk.doctor.callerTranscribed('wait', desk.nowMs);
    expect(desk.wait(9_000).log).toEqual([]);
  });

  test('is none when a text of ours was the cause', () => {
    const desk = speaking();
    desk.doctor.textSent(false, desk.nowMs);
    expect(desk.wait(300).interrupted().complete().wait(9_000).log).toEqual([]);
  });

  test('is none when the model goes on', () => {
    const desk = speaking().interrupted().wait(300);
    for (let i = 0; i < 12; i++) {
      desk.doctor.modelAudioDropped(desk.nowMs);
      desk.wait(100);
    }
    desk.audio(2_000).text(' morning.').generated().wait(2_100).complete();
    expect(desk.wait(9_000).log).toEqual([]);
  });

  test('is none when everything had been said and heard', () => {
    const desk = new Desk().greeted().interrupted().complete().wait(9_000);
    expect(desk.log).toEqual([]);
  });
});

describe('a resumed session', () => {
  const resumed = (): Desk => {
    const desk = new Desk().greeted();
    desk.doctor.sessionLost();
    desk.wait(500);
    desk.doctor.sessionReady({ resumed: true }, desk.nowMs);
    return desk.wait(500);
  };
  const transcribed = (desk: Desk): Desk => {
    desk.doctor.callerTranscribed('And on Sunday?', desk.nowMs);
    return desk;
  };

  test('that transcribes and says nothing is deaf-mute', () => {
    const desk = transcribed(resumed().caller()).wait(30_000);
    expect(desk.taken('deaf-mute').filter((step) => step !== 'filler')).toEqual(['wait', 'nudge', 'fresh']);
  });

  test('is that also when the transcript comes late, or alone', () => {
    const late = resumed().caller().wait(4_000);
    expect(late.signs).toContain('unanswered');
    expect(transcribed(late).wait(100).signs).toContain('deaf-mute');
    expect(transcribed(resumed()).wait(4_000).signs).toContain('deaf-mute');
  });

  test('is not deaf-mute when it has spoken since', () => {
    const desk = resumed().caller().wait(800).says('At nine.');
    transcribed(desk.caller()).wait(9_000);
    expect(desk.signs).toEqual(['late-answer', 'unanswered']);
  });

  test('a session that was not resumed is not deaf-mute', () => {
    expect(transcribed(new Desk().greeted().caller()).wait(9_000).signs).not.toContain('deaf-mute');
  });

  test('has time to answer what it was told again', () => {
    const desk = new Desk().greeted().caller().wait(1_000);
    desk.doctor.sessionLost();
    desk.wait(9_000);
    desk.doctor.sessionReady({ resumed: true }, desk.nowMs);
    expect(desk.wait(1_200).says('At nine.').wait(9_000).log).toEqual([]);
  });

  test('is not taken for one that ignores the caller before it has heard them; the air is dead all the same', () => {
    const desk = new Desk().greeted().caller().wait(1_000);
    desk.doctor.sessionLost();
    desk.wait(500);
    desk.doctor.sessionReady({ resumed: true }, desk.nowMs);
    desk.mark().wait(2_800);
    desk.doctor.caughtUp(desk.nowMs);
    desk.wait(2_900);
    expect(desk.steps).toEqual(['late-answer filler 1.5']);
    expect(desk.wait(1_500).signs).toContain('unanswered');
  });
});
