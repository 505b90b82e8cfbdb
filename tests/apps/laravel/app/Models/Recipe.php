<?php

namespace App\Models;

use Illuminate\Database\Eloquent\Model;

final class Recipe extends Model
{
    protected $fillable = ['title', 'text', 'picture'];
    protected $casts = ['cooked' => 'integer'];
}
