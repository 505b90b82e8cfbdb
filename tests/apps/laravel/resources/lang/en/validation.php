<?php

return [
    'required' => 'There has to be a :attribute.',
    'image' => 'The :attribute is no picture.',
    'max' => ['string' => 'The :attribute is too long.'],
    'unique' => 'This :attribute is taken.',
];
